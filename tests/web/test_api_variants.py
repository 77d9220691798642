"""Chains, variants, attempts and decisions over HTTP, as a program with a token sees them."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from tests.support import builders
from tests.support.browsing import Visitor

API = "/api/v1"


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=3).id


@pytest.fixture
def client(application: FastAPI, api_token: str) -> Visitor:
    return Visitor(application, api_token)


def found(client: Visitor, path: str, **query: Any) -> Any:
    answer = client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_chains_come_in_pages(client: Visitor, run: int) -> None:
    first = found(client, f"/runs/{run}/chains", limit=4)
    rest = found(client, f"/runs/{run}/chains", limit=4, after=first["next_after"])
    assert (len(first["items"]), len(rest["items"]), rest["next_after"]) == (4, 2, None)
    assert first["items"][0] | {"id": 0, "seed_id": 0} == {
        "id": 0,
        "run_id": run,
        "arm": "main",
        "position": 0,
        "environment": "induction",
        "state": "finished",
        "stop_reason": "turns_used",
        "seed_id": 0,
        "seed_source": "heapq.py 340-378",
        "variants": 7,
        "usable": 5,
        "bins": ["easy", "medium", "hard"],
        "complete": True,
    }


def test_a_chain_holds_its_tree_in_preorder(client: Visitor, run: int) -> None:
    chain = found(client, f"/runs/{run}/chains")["items"][0]
    tree = found(client, f"/chains/{chain['id']}")["tree"]
    assert [f"{v['turn']}.{v['branch']}" for v in tree] == ["1.1", "2.1", "3.1", "4.1", "5.1", "3.2", "6.1"]
    assert tree[2]["measurement"] == {
        "passed": 4,
        "failed": 28,
        "errors": 0,
        "rate": 0.125,
        "low": pytest.approx(0.0497, abs=1e-4),
        "high": pytest.approx(0.2807, abs=1e-4),
        "bin": "hard",
    }


def test_variants_are_filtered_and_read_to_the_end(client: Visitor, run: int) -> None:
    ids, after = [], 0
    while after is not None:
        page = found(client, "/variants", run=run, usable=True, arm="main", limit=4, after=after)
        ids += [item["id"] for item in page["items"]]
        assert all(item["usable"] for item in page["items"])
        after = page["next_after"]
    assert len(ids) == len(set(ids)) == sum(chain["usable"] for chain in mains(client, run)) == 13


def mains(client: Visitor, run: int) -> list[dict[str, Any]]:
    chains: list[dict[str, Any]] = found(client, f"/runs/{run}/chains", arm="main")["items"]
    return chains


def test_a_variant_in_full(client: Visitor, run: int) -> None:
    (listed,) = found(client, "/variants", run=run, bin="hard", environment="induction")["items"]
    variant = found(client, f"/variants/{listed['id']}")
    assert {name: variant[name] for name in listed} == listed
    assert variant["problem"]["cases"][0] == {
        "arguments": "[[1, 4, 9], [2, 3]], 4",
        "output": "[(1, 0), (2, 1), (3, 1), (4, 0)]",
    }
    (measured,) = variant["measurements"]
    assert measured["student"]["spec"]["effort"] == 1.0
    assert measured["representatives"][0]["kind"] == "shortest_pass"
    assert variant["provenance"]["seed"]["licence"] == "PSF-2.0"
    assert len(variant["ancestors"]) == 2
    assert variant["decisions"] == []


def test_an_invalid_one_says_why(client: Visitor, run: int) -> None:
    (listed, *_) = found(client, "/variants", run=run, invalid="nondeterministic")["items"]
    variant = found(client, f"/variants/{listed['id']}")
    assert variant["problem"] is None
    assert variant["invalid_meaning"] == "The program does not always give the same outputs."
    assert found(client, f"/variants/{listed['id']}/attempts") == {"items": [], "total": 0, "next_first": None}


def test_attempts_come_in_pages(client: Visitor, run: int) -> None:
    (listed,) = found(client, "/variants", run=run, bin="hard", environment="induction")["items"]
    path = f"/variants/{listed['id']}/attempts"
    first = found(client, path, verdict="failed", limit=20)
    rest = found(client, path, verdict="failed", limit=20, first=first["next_first"])
    assert (first["total"], len(first["items"]), len(rest["items"]), rest["next_first"]) == (28, 20, 8, None)
    assert found(client, path)["total"] == 32


# --- deciding ---


@pytest.fixture
def variant(client: Visitor, run: int) -> dict[str, Any]:
    item: dict[str, Any] = found(client, "/variants", run=run, usable=True)["items"][0]
    return item


def test_a_decision_and_its_undo(client: Visitor, variant: dict[str, Any]) -> None:
    path = f"{API}/variants/{variant['id']}/decisions"
    ballot = {"kind": "reject", "reason": "trivial", "content_hash": variant["content_hash"], "seen": 0}
    made = client.post(path, json=ballot)
    assert made.status_code == 201
    assert made.json() | {"decision_id": 0} == {
        "decision_id": 0,
        "variant_id": variant["id"],
        "review": "rejected",
        "message": "Rejected 2.1.",
        "repeated": False,
    }
    assert client.post(path, json=ballot).json()["repeated"]
    undone = client.post(f"{API}/decisions/{made.json()['decision_id']}/undo")
    assert (undone.status_code, undone.json()["review"]) == (201, "")
    kinds = [(vote["kind"], vote["by"]) for vote in found(client, f"/variants/{variant['id']}")["decisions"]]
    assert kinds == [("reject", "Ada"), ("undo", "Ada")]


@pytest.mark.parametrize(
    ("ballot", "status", "field"),
    [
        ({"kind": "approve"}, 422, "content_hash"),
        ({"kind": "approve", "content_hash": "0" * 64}, 409, None),
        ({"kind": "approve", "content_hash": "x", "colour": "red"}, 422, "colour"),
        ({"kind": "reject", "content_hash": "x", "reason": "bored"}, 422, "reason"),
        ({"kind": "reject", "content_hash": "x", "reason": "other"}, 422, "comment"),
        ({"kind": "approve", "content_hash": "x", "seen": -1}, 422, "seen"),
    ],
)
def test_ballots_that_cannot_count(
    client: Visitor, variant: dict[str, Any], ballot: dict[str, Any], status: int, field: str | None
) -> None:
    answer = client.post(f"{API}/variants/{variant['id']}/decisions", json=ballot)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), answer.text


def test_a_token_that_only_reads_cannot_decide(application: FastAPI, ada: Actor, variant: dict[str, Any]) -> None:
    with unit_of_work() as session:
        reader = Visitor(application, accounts.create_api_token(session, ada, "reads", "read", 1))
    ballot = {"kind": "approve", "content_hash": variant["content_hash"]}
    assert reader.post(f"{API}/variants/{variant['id']}/decisions", json=ballot).status_code == 403
    assert reader.get(f"{API}/variants/{variant['id']}").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/variants", 422, "run"),
        ("/variants?run={run}&colour=red", 422, "colour"),
        ("/variants?run=999999", 404, None),
        ("/variants/999999", 404, None),
        ("/chains/999999", 404, None),
        ("/runs/{run}/chains?sort=luck", 422, "sort"),
        ("/runs/{run}/chains?after=999999", 422, "after"),
        ("/variants/999999/attempts", 404, None),
    ],
)
def test_what_is_not_there(client: Visitor, run: int, path: str, status: int, field: str | None) -> None:
    answer = client.get(API + path.format(run=run))
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), answer.text


def test_another_workspace_gets_404(application: FastAPI, variant: dict[str, Any], run: int) -> None:
    with unit_of_work() as session:
        eve = Visitor(application, accounts.create_api_token(session, builders.owner(session, "Eve"), "t", "write", 1))
    for path in (f"/runs/{run}/chains", f"/variants?run={run}", f"/variants/{variant['id']}"):
        assert eve.get(API + path).status_code == 404
    ballot = {"kind": "approve", "content_hash": variant["content_hash"]}
    assert eve.post(f"{API}/variants/{variant['id']}/decisions", json=ballot).status_code == 404
