"""A lane tells of its servers while it drives, takes its word back at the end, and needs no Redis for anything."""

from __future__ import annotations

import asyncio

import pytest
import redis
from anyio.from_thread import BlockingPortal

from app import events, prompts
from app.config import settings
from app.features.servers import store
from app.features.servers.schemas import LaneReport, Told
from tests.engines.openai.test_circuit import METRICS
from tests.support import refining
from tests.support.model_server import Body, serve
from tests.support.ports import own_port

pytestmark = pytest.mark.usefixtures("database", "broker", "quick")
EXAMPLE = prompts.example_reply("deduction")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane, frequent looks at pause and cancel, and at the servers."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)


def start(url: str) -> int:
    model = {"engine": "openai", "options": {"base_url": url, "model": "a-model"}}
    actor = refining.owner_with_seeds(1)
    return refining.start(actor, environments=["deduction"], turns=1, teacher=model, student=model)


def test_a_lane_tells_of_its_servers_while_it_drives_and_no_longer(portal: BlockingPortal) -> None:
    heard: list[Told] = []

    async def answer(body: Body) -> list[str]:
        """Once it was told of."""
        while not heard:
            heard.extend(await asyncio.to_thread(store.reports))
            await asyncio.sleep(0.01)
        return [EXAMPLE] * int(body["n"])

    with portal.wrap_async_context_manager(serve(answer)) as server:
        server.metrics = METRICS
        run_id = start(server.url)
        refining.drive(run_id)
    assert refining.state(run_id) == "finished"
    (told,) = heard
    assert (told.run_id, [role.role for role in told.report.roles]) == (run_id, ["teacher", "student"])
    assert {one.address for role in told.report.roles for one in role.servers} == {server.url}
    assert told.report.roles[0].limit == 256
    assert store.reports() == []


def test_without_redis_the_run_goes_on(portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(body: Body) -> list[str]:
        return [EXAMPLE] * int(body["n"])

    with portal.wrap_async_context_manager(serve(answer)) as server:
        run_id = start(server.url)
        monkeypatch.setattr(settings(), "redis_url", f"redis://127.0.0.1:{own_port()}/0")
        events.client.cache_clear()
        try:
            with pytest.raises(redis.RedisError):
                store.reports()
            refining.drive(run_id)
        finally:
            monkeypatch.undo()
            events.client.cache_clear()
    assert refining.state(run_id) == "finished"
    assert refining.check(run_id).problems == ()


def test_reports_run_out_belong_to_a_run_and_strange_ones_are_passed_over() -> None:
    empty = LaneReport(roles=())
    for workspace_id, run_id in ((1, 7), (1, 8), (2, 9)):
        store.put(workspace_id, run_id, "gpu-1:12:ab", empty)
    assert [told.run_id for told in store.reports()] == [7, 8, 9]
    assert [told.run_id for told in store.reports(1)] == [7, 8]
    assert [told.run_id for told in store.reports(1, 8)] == [8]
    assert store.reports(2, 8) == []
    keys = sorted(events.client().keys("cairn:lane:*"))
    assert all(0 < events.client().ttl(key) <= store.KEEP_S for key in keys)
    events.client().pexpire(keys[0], 30_000)
    assert 29 < store.reports(1, 7)[0].age_s < 32
    events.client().delete(keys[1])
    events.client().set(keys[2], '{"of": "another version"}')
    assert [told.run_id for told in store.reports()] == [7]
    assert events.client().scard("cairn:lanes") == 2, "the one that ran out is forgotten"
