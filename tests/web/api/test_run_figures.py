"""What a run costs and where it loses, over HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from app.db import unit_of_work
from app.domain.actor import Actor
from app.models import Chain, Run
from tests.support import builders
from tests.support.browsing import Visitor

API = "/api/v1"


@pytest.fixture
def client(application: FastAPI, api_token: str) -> Visitor:
    return Visitor(application, api_token)


@pytest.fixture
def run(ada: Actor) -> Run:
    with unit_of_work() as session:
        run = builders.grown_run(session, ada, chains=4)
        first, second = session.query(Chain).where(Chain.run_id == run.id).order_by(Chain.id).limit(2)
        first.stop_reason = "context_overflow"
        for number, chain in enumerate((first, first, second)):
            met = builders.incident(session, run, "teacher", "overloaded", f"the queue is full, {number}")
            met.chain_id = chain.id
        builders.incident(session, run, "lane", "Unavailable", "no disk")
        return run


def test_usage_by_arm_and_stage(client: Visitor, run: Run) -> None:
    items = client.get(f"{API}/runs/{run.id}/usage").json()["items"]
    assert [(item["arm"], item["stage"]) for item in items] == [
        (arm, stage) for arm in ("main", "baseline") for stage in ("proposing", "checking", "attempting", "judging")
    ]
    proposing, _, attempting, judging = items[:4]
    summary = client.get(f"{API}/runs/{run.id}").json()["summary"]["main"]
    assert proposing["count"] == summary["proposals"]
    assert proposing["prompt_tokens"] + proposing["completion_tokens"] == summary["teacher_tokens"]
    assert attempting["samples"] == judging["samples"] == summary["attempts"] + summary["errors"]
    assert judging["errors"] == summary["errors"] > 0
    assert (proposing["model_s"], proposing["cpu_s"]) == (float(proposing["count"]), None)


def test_each_group_of_errors_leads_to_its_chains(client: Visitor, run: Run) -> None:
    found = client.get(f"{API}/runs/{run.id}/errors").json()
    crowded, lane = found["infrastructure"]
    assert (crowded["stage"], crowded["kind"], crowded["count"], crowded["chains"]) == ("teacher", "overloaded", 3, 2)
    assert crowded["example"] == "the queue is full, 2"
    chains = client.get(f"{API}/runs/{run.id}/chains?trouble={crowded['trouble']}").json()["items"]
    assert len(chains) == 2
    assert crowded["chain_id"] in [chain["id"] for chain in chains]
    assert (lane["chains"], lane["chain_id"]) == (0, None)
    group = next(group for group in found["invalid"] if group["arm"] == "main")
    listed = client.get(f"{API}/variants?run={run.id}&arm=main&invalid={group['code']}").json()["items"]
    assert len(listed) == group["count"]
    assert group["variant_id"] in [variant["id"] for variant in listed]
    assert client.get(f"{API}/variants/{group['variant_id']}").json()["invalid_detail"] == group["example"]


def test_why_chains_stopped_leads_to_them(client: Visitor, run: Run) -> None:
    stops = client.get(f"{API}/runs/{run.id}/stops").json()["items"]
    assert [(stop["arm"], stop["reason"], stop["count"]) for stop in stops] == [
        ("main", "turns_used", 3),
        ("main", "context_overflow", 1),
        ("baseline", "turns_used", 4),
    ]
    for stop in stops:
        chains = client.get(f"{API}/runs/{run.id}/chains?arm={stop['arm']}&stop={stop['reason']}").json()["items"]
        assert len(chains) == stop["count"]
        assert stop["chain_id"] in [chain["id"] for chain in chains]


def test_yield_by_turn_stands_beside_the_baseline(client: Visitor, run: Run) -> None:
    main, baseline = client.get(f"{API}/runs/{run.id}/yields").json()["items"]
    summary = client.get(f"{API}/runs/{run.id}").json()["summary"]
    for item, arm in ((main, summary["main"]), (baseline, summary["baseline"])):
        told = {str(t["turn"]): {"usable": t["usable"], "proposals": t["calls"]} for t in item["by_turn"]}
        assert told == arm["usable_by_turn"]
        assert item["share"] == arm["yield"]
        assert all(0 <= turn["low"] <= turn["share"] <= turn["high"] <= 1 for turn in item["by_turn"])


@pytest.mark.parametrize("part", ["usage", "stops", "errors", "yields"])
def test_a_run_of_others_does_not_exist(
    client: Visitor, run: Run, part: str, signed_in: Callable[[Actor], Visitor]
) -> None:
    assert client.get(f"{API}/runs/{run.id}/{part}").status_code == 200
    with unit_of_work() as session:
        stranger = builders.owner(session, "Grace")
    assert signed_in(stranger).get(f"{API}/runs/{run.id}/{part}").status_code == 404


def test_the_page_shows_the_same_and_links_to_the_rows(client: Visitor, page: Visitor, run: Run) -> None:
    text = page.get(f"/runs/{run.id}").text
    assert "the queue is full, 2" in text
    href = html.unescape(re.search(r'href="([^"]+trouble=[^"]+)">2 chains', text)[1])  # type: ignore[index]
    tree = page.get(href).text
    assert "met teacher/overloaded" in tree
    assert "2 chains" in tree
    stages = text[text.index('id="stages"') : text.index('id="bins"')]
    for item in client.get(f"{API}/runs/{run.id}/usage").json()["items"]:
        row = rf"{item['stage'].capitalize()}(?: <small>{item['samples']} attempts</small>)?</td>"
        assert re.search(rf'{row}<td class="num">{item["count"]}</td><td class="num">{item["errors"]}</td>', stages)


@pytest.mark.parametrize("wrong", ["teacher", "teacher/", "/overloaded", "teacher/two words", "a/b/c"])
def test_a_group_that_is_none_is_refused_at_its_name(client: Visitor, run: Run, wrong: str) -> None:
    answer = client.get(f"{API}/runs/{run.id}/chains", params={"trouble": wrong})
    assert answer.status_code == 422
    assert "teacher/unreachable" in answer.json()["error"]["errors"]["trouble"]
