"""What Prometheus reads, by its own parser."""

from __future__ import annotations

import re
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr, ValidationError
from starlette.testclient import TestClient

from app import events
from app.config import Settings, settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.monitoring import queries
from app.features.servers import store
from app.features.servers.schemas import LaneReport, RoleReport, Saturation, ServerReport
from app.jobs import LANE, send
from app.models import Growth, LaneSlot, Run, Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.counting import statements
from tests.support.ports import own_port

DOCUMENT = (Path(__file__).parents[2] / "docs/deployment.md").read_text("utf-8")
TOKEN = "a-token-of-the-tests"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def local(application: FastAPI) -> TestClient:
    """This machine itself."""
    return TestClient(application, base_url="http://localhost:8000", client=("127.0.0.1", 50_000))


def scrape(client: TestClient) -> Samples:
    """(name, labels) -> value of everything that is told, of the process nothing."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    found: Samples = {}
    for family in families:
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} is told twice"
            found[key] = sample.value
    return {key: value for key, value in found.items() if key[0].startswith("cairn_")}


def at(found: Samples, name: str, **labels: str) -> float:
    return found[f"cairn_{name}", frozenset(labels.items())]


def finish(run: Run) -> None:
    with unit_of_work() as session:
        session.get_one(Run, run.id).state = "finished"


@pytest.fixture
def run(ada: Actor) -> Run:
    with unit_of_work() as session:
        run = builders.grown_run(session, ada, chains=4, state="running")
        builders.incident(session, run, "teacher", "overloaded", "full")
        return run


def test_what_is_told_is_what_the_api_tells(local: TestClient, page: Visitor, run: Run) -> None:
    found = scrape(local)
    summary = page.get(f"/api/v1/runs/{run.id}").json()["summary"]
    for arm in ("main", "baseline"):
        figures = summary[arm]
        assert at(found, "stages_total", arm=arm, stage="proposing") == figures["proposals"]
        assert at(found, "attempts_total", arm=arm) == figures["attempts"] + figures["errors"]
        assert at(found, "verdicts_total", arm=arm, verdict="passed") == figures["passed"]
        assert at(found, "verdicts_total", arm=arm, verdict="error") == figures["errors"]
        assert at(found, "chains", arm=arm, state="finished") == figures["chains"]
        tokens = (at(found, "tokens_total", arm=arm, stage="proposing", kind=kind) for kind in ("prompt", "completion"))
        assert sum(tokens) == figures["teacher_tokens"]
        assert at(found, "stage_seconds_total", arm=arm, stage="proposing", of="model") == figures["proposals"]
    assert at(found, "incidents_total", stage="teacher", kind="overloaded") == 1
    assert at(found, "runs", state="running") == 1
    assert at(found, "run_lanes", run=str(run.id)) == 0
    assert (at(found, "database_up"), at(found, "broker_up")) == (1, 1)


def test_every_metric_is_in_the_document_and_the_other_way_round(local: TestClient, run: Run) -> None:
    said = Saturation(running=1, waiting=0, cache=0.5, preempted=0, tokens_per_s=5.0, prefix_hits=0.5)
    server = ServerReport(address="http://gpu-1:8000/v1", model="m", away=False, under_way=1, saturation=said)
    role = RoleReport(role="teacher", limit=8, under_way=1, servers=[server])
    store.put(run.workspace_id, run.id, "me", LaneReport(roles=[role]))
    hold_a_slot(run)
    documented = set(re.findall(r"`(cairn_\w+)`", DOCUMENT[DOCUMENT.index("| metric |") :]))
    assert {name for name, _ in scrape(local)} == documented
    used = set(re.findall(r"expr: (cairn_\w+)", DOCUMENT))
    assert used
    assert used <= documented


def test_openmetrics_which_prometheus_asks_for_first_tells_the_same(local: TestClient, run: Run) -> None:
    answer = local.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = openmetrics.text_string_to_metric_families(answer.text)
    told = {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}
    assert {key: value for key, value in told.items() if key[0].startswith("cairn_")} == scrape(local)


def hold_a_slot(run: Run) -> None:
    with unit_of_work() as session:
        for slot, minutes in enumerate((1, -1)):
            lease = datetime.now(UTC) + timedelta(minutes=minutes)
            held = {"owner": "me", "isolation": "full", "lease_expires_at": lease}
            session.add(LaneSlot(run_id=run.id, slot=slot, workspace_id=run.workspace_id, **held))


def test_lanes_by_their_sandbox_and_what_waits(local: TestClient, run: Run) -> None:
    hold_a_slot(run)
    for _ in range(3):
        send(LANE, run.id)
    found = scrape(local)
    assert at(found, "lanes", isolation="full") == at(found, "run_lanes", run=str(run.id)) == 1
    assert at(found, "lane_slots_free") == 1
    assert at(found, "queue_messages") == 3


def test_runs_that_are_over_are_read_once_and_have_no_series_of_their_own(
    local: TestClient, ada: Actor, run: Run
) -> None:
    with unit_of_work() as session:
        other = builders.grown_run(session, ada, chains=2, state="finished")
    before = scrape(local)
    assert [dict(labels)["run"] for name, labels in before if name == "cairn_run_turns_done"] == [str(run.id)]
    finish(run)
    after = scrape(local)
    with statements() as found:
        assert scrape(local) == after
    assert not [one for one in found if "FROM stage_usage" in one and "stage_usage.run_id IN (NULL)" not in one]
    counters = {key: value for key, value in before.items() if key[0].endswith("_total")}
    assert {key: after[key] for key in counters} == counters
    assert not [labels for name, labels in after if "run" in dict(labels)]
    with unit_of_work() as session:  # a branch that somebody asks for makes it grow again
        origin = session.query(Variant).where(Variant.run_id == other.id, Variant.problem.is_not(None)).limit(1).one()
        asked: Growth = builders.growth(session, ada, origin)
        assert asked.state == "finished"
    grown = scrape(local)
    assert at(grown, "stages_total", arm="asked", stage="judging") == 1
    assert all(grown[key] >= value for key, value in after.items() if key[0].endswith("_total"))


def test_the_newest_runs_alone_are_named(local: TestClient, ada: Actor) -> None:
    with unit_of_work() as session:
        for _ in range(queries.MOST_OPEN_RUNS + 2):
            newest = builders.run(session, ada, state="paused")
    named = [int(dict(labels)["run"]) for name, labels in scrape(local) if name == "cairn_run_turns_done"]
    assert len(named) == queries.MOST_OPEN_RUNS
    assert newest.id in named


def test_servers_are_named_by_host_whatever_their_path_holds(local: TestClient, run: Run) -> None:
    said = Saturation(running=3, waiting=0, cache=0.5, preempted=2, tokens_per_s=None, prefix_hits=None)
    for number, path in enumerate(("/secret-1/v1", "/secret-2/v1")):
        server = ServerReport(address=f"http://gpu-1:8000{path}", model="m", away=False, under_way=10, saturation=said)
        role = RoleReport(role="student", limit=64, under_way=10, servers=[server])
        store.put(run.workspace_id, run.id, f"lane-{number}", LaneReport(roles=[role]))
    assert "secret" not in local.get("/metrics").text
    found = scrape(local)
    here = {"server": "gpu-1:8000", "model": "m"}
    assert at(found, "model_server_up", **here) == 1
    assert at(found, "model_server_requests_running", **here) == 3
    assert at(found, "model_server_samples_under_way", **here, role="student") == 10


def test_without_a_broker_the_rest_is_told(local: TestClient, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "redis_url", f"redis://127.0.0.1:{own_port()}/0")
    events.client.cache_clear()
    try:
        found = scrape(local)
    finally:
        monkeypatch.undo()
        events.client.cache_clear()
    assert at(found, "broker_up") == 0
    assert at(found, "runs", state="running") == 1


# --- who may read it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "host", "headers", "status"),
    [
        ("127.0.0.1", "localhost:8000", {}, 200),
        ("::1", "[::1]:8000", {}, 200),
        ("127.0.0.1", "localhost:8000", {"X-Forwarded-For": "203.0.113.7"}, 404),
        ("127.0.0.1", "localhost:8000", {"Forwarded": "for=203.0.113.7"}, 404),
        ("127.0.0.1", "cairn.example.org", {}, 404),
        ("203.0.113.7", "localhost", {}, 404),
        ("203.0.113.7", "localhost", {"Authorization": "Bearer "}, 404),
    ],
)
def test_without_a_token_this_machine_alone_may_read(
    application: FastAPI, client: str, host: str, headers: dict[str, str], status: int
) -> None:
    asking = TestClient(application, base_url=f"http://{host}", client=(client, 50_000))
    assert asking.get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [(f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), ("Bearer another", 401), (f"Basic {TOKEN}", 401), ("", 401)],
)
def test_with_one_whoever_brings_it(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch, sent: str, status: int
) -> None:
    monkeypatch.setattr(settings(), "metrics_token", SecretStr(TOKEN))
    asking = TestClient(application, base_url="https://cairn.example.org", client=("203.0.113.7", 50_000))
    answer = asking.get("/metrics", headers={"Authorization": sent})
    assert answer.status_code == status
    assert TOKEN not in answer.text


def test_being_signed_in_is_no_token(page: Visitor) -> None:
    assert page.get("/metrics").status_code == 404


def test_a_short_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_METRICS_TOKEN", "short")
    with pytest.raises(ValidationError, match="at least 16"):
        Settings()


def test_a_real_server_knows_this_machine(server: str) -> None:
    with urllib.request.urlopen(f"{server}/metrics") as answer:  # noqa: S310 - our own
        told = answer.read().decode()
    assert "cairn_database_up 1.0" in told
    assert "process_resident_memory_bytes" in told


def test_with_a_token_this_machine_brings_it_too(local: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy here that passes requests on without a word looks like this machine itself."""
    monkeypatch.setattr(settings(), "metrics_token", SecretStr(TOKEN))
    assert local.get("/metrics").status_code == 401
    assert local.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
