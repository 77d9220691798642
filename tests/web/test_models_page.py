"""The servers in use, on their page, on a run's page and in the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app import events
from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.servers import store
from app.features.servers.schemas import LaneReport, RoleName, RoleReport, Saturation, ServerReport
from app.models import Run
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.ports import own_port

TEACHER, STUDENT = "http://gpu-1:8000/v1", "http://gpu-2:8000/v1"
BUSY = Saturation(running=33, waiting=5, cache=0.85, preempted=7, tokens_per_s=1234.5, prefix_hits=0.62)


def role(name: RoleName, address: str, said: Saturation | None, *, away: bool = False) -> RoleReport:
    server = ServerReport(address=address, model="gpt-oss-120b", away=away, under_way=64, saturation=said)
    return RoleReport(role=name, limit=512, under_way=64, servers=[server])


@pytest.fixture
def run(ada: Actor, broker: str) -> Run:
    with unit_of_work() as session:
        run = builders.run(session, ada, name="A busy one", state="running")
    report = LaneReport(roles=[role("teacher", TEACHER, BUSY), role("student", STUDENT, None, away=True)])
    store.put(run.workspace_id, run.id, "worker-1:7:ab", report)
    return run


@pytest.mark.parametrize("path", ["/models", "/models?run={run}", "/runs/{run}"])
def test_every_server_with_its_saturation_and_who_asks_it(page: Visitor, run: Run, path: str) -> None:
    text = page.get(path.format(run=run.id)).text
    for told in (TEACHER, STUDENT, "gpt-oss-120b", "circuit open", "85%", "62%", "1.23\u202fk", "just now"):
        assert told in text, told
    assert "<b>64</b> of 512 <small>1 lane" in text
    assert ("A busy one</a> teacher" in text) == (path == "/models")


def test_the_api_tells_the_same(page: Visitor, run: Run) -> None:
    found = page.get("/api/v1/models").json()
    assert found["known"] is True
    teacher, student = found["items"]
    assert (teacher["condition"], teacher["saturation"]) == ("up", BUSY.model_dump())
    assert (student["condition"], student["saturation"]) == ("away", None)
    assert teacher["uses"] == [
        {
            "run_id": run.id,
            "run_name": "A busy one",
            "role": "teacher",
            "lanes": 1,
            "away": 0,
            "under_way": 64,
            "limit": 512,
        }
    ]
    assert [item["uses"] for item in page.get(f"/api/v1/models?run={run.id}").json()["items"]] == [
        item["uses"] for item in found["items"]
    ]
    assert page.get(f"/api/v1/models?run={run.id + 1}").status_code == 404


def test_others_see_nothing_of_it(run: Run, signed_in: Callable[[Actor], Visitor]) -> None:
    with unit_of_work() as session:
        stranger = builders.owner(session, "Grace")
    grace = signed_in(stranger)
    assert "No model server in use" in grace.get("/models").text
    assert grace.get("/api/v1/models").json() == {"known": True, "items": []}
    for path in ("/models", "/api/v1/models"):
        assert grace.get(f"{path}?run={run.id}").status_code == 404


def test_a_lane_that_fell_silent_is_stale(page: Visitor, run: Run) -> None:
    (key,) = events.client().keys("cairn:lane:*")
    events.client().expire(key, 30)
    assert "stale" in page.get("/models").text
    assert {item["condition"] for item in page.get("/api/v1/models").json()["items"]} == {"stale"}


def test_without_redis_pages_say_so(page: Visitor, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "redis_url", f"redis://127.0.0.1:{own_port()}/0")
    events.client.cache_clear()
    try:
        for path in ("/models", f"/runs/{run.id}"):
            answer = page.get(path)
            assert answer.status_code == 200
            assert "the broker is away" in answer.text
        assert page.get("/api/v1/models").json() == {"known": False, "items": []}
    finally:
        monkeypatch.undo()
        events.client.cache_clear()


def test_htmx_gets_the_rows_alone(page: Visitor, run: Run) -> None:
    answer = page.get(f"/models?run={run.id}", headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith('<div id="servers"')
    assert "<html" not in answer.text
