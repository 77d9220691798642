"""Whole runs whose teacher and student share a GPU: the same result, and never a question to one that sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from anyio.from_thread import BlockingPortal
from sqlalchemy import select

from app.config import settings
from app.db import unit_of_work
from app.models import Incident
from app.serving import switch, turns
from app.serving.switch import Member, Switch
from tests.support import refining
from tests.support.model_server import Body, Model, procedural, serve
from tests.support.ports import own_port

pytestmark = pytest.mark.usefixtures("database", "broker", "quick")
ROLES = ("teacher", "student")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lanes, frequent looks, short pauses."""
    monkeypatch.setattr(settings(), "worker_processes", 2)
    monkeypatch.setattr(settings(), "control_s", 0.05)
    monkeypatch.setattr(settings(), "retry_pause_s", 0.01)
    monkeypatch.setattr(turns, "_EVERY_S", 0.1)


class SharedGpu:
    """Two model servers of which one is awake at a time, and the server of their turns."""

    def __init__(self, model: Model) -> None:
        self.awake: str | None = None
        self.under_way = 0
        self.asked_asleep: list[str] = []
        self.moves: list[str] = []
        self.asked = 0
        self.losses: set[int] = set()  # before which requests all workers lose their turns
        self.urls: dict[str, str] = {}
        self._model = model
        self._switch = Switch()
        self._turns_port = 0
        self._turns = AsyncExitStack()
        for role in ROLES:
            self._switch.add(Member(role, self._sleep, lambda r=role: self._wake(r), lambda _: None))

    async def _sleep(self) -> None:
        self.moves.append("sleep")
        if self.under_way:
            self.asked_asleep.append("still under way")
        self.awake = None

    async def _wake(self, role: str) -> None:
        self.moves.append(role)
        self.awake = role

    def options(self, role: str) -> dict[str, object]:
        return {
            "base_urls": self.urls[role],
            "model": role,
            "turns_url": f"http://127.0.0.1:{self._turns_port}/turns/{role}",
        }

    def model_of(self, role: str) -> Model:
        async def answer(body: Body) -> list[str]:
            self.asked += 1
            if self.asked in self.losses:
                await self.drop_turns()
                return await self._model(body)
            if self.awake != role:
                self.asked_asleep.append(role)
            self.under_way += 1
            try:
                return await self._model(body)
            finally:
                self.under_way -= 1

        return answer

    async def open_turns(self) -> None:
        switches = dict.fromkeys(ROLES, self._switch)
        self._turns_port = await self._turns.enter_async_context(
            turns.turns(switches, "127.0.0.1", self._turns_port or own_port())
        )

    async def drop_turns(self) -> None:
        """All workers lose their turns at once; what is under way goes on."""
        await self._turns.aclose()
        await self.open_turns()

    async def start(self) -> None:
        for role in ROLES:
            await self._switch.make_room(role)
            self.awake = role
            self._switch.ready(role)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        switching = asyncio.create_task(self._switch.run())
        async with AsyncExitStack() as stack:
            for role in ROLES:
                self.urls[role] = (await stack.enter_async_context(serve(self.model_of(role)))).url
            await self.start()
            await self.open_turns()
            try:
                yield
            finally:
                await self._turns.aclose()
                switching.cancel()
                await asyncio.gather(switching, return_exceptions=True)


@asynccontextmanager
async def shared_gpu() -> AsyncIterator[SharedGpu]:
    async with procedural() as model:
        gpu = SharedGpu(model)
        async with gpu.running():
            yield gpu


@pytest.mark.parametrize("owed_s", [600.0, 0.0], ids=["in lock-step", "first come first served"])
def test_models_take_turns_and_the_result_is_that_of_models_side_by_side(
    portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch, owed_s: float
) -> None:
    monkeypatch.setattr(switch, "_OWED_S", owed_s)
    actor = refining.owner_with_seeds(3)
    with portal.wrap_async_context_manager(shared_gpu()) as gpu:
        run_id = refining.start(actor, **_models({role: gpu.options(role) for role in ROLES}))
        with ThreadPoolExecutor() as lanes:
            assert [*lanes.map(refining.drive, [run_id, run_id])] == [False, False]
        report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    assert gpu.asked_asleep == []
    assert {"teacher", "student"} <= set(gpu.moves), "both had their turn"
    assert gpu.asked >= report.variants
    assert _incidents(run_id) == []

    with portal.wrap_async_context_manager(_side_by_side()) as urls:
        alone = refining.start(
            actor, **_models({role: {"base_urls": url, "model": role} for role, url in urls.items()})
        )
        refining.drive(alone)
    assert refining.check(alone).digest == report.digest


def test_a_lane_that_loses_its_turn_asks_again_and_no_result_changes(portal: BlockingPortal) -> None:
    with portal.wrap_async_context_manager(shared_gpu()) as gpu:
        run_id = refining.start(refining.owner_with_seeds(2), **_models({r: gpu.options(r) for r in ROLES}))
        gpu.losses = {3, 7, 11}
        refining.drive(run_id)
        report = refining.check(run_id)
    assert gpu.asked > max(gpu.losses)
    assert (report.state, report.problems) == ("finished", ())
    assert set(_incidents(run_id)) <= {"unreachable"}


def _models(options: dict[str, dict[str, object]]) -> dict[str, object]:
    return {role: {"engine": "vllm", "options": chosen} for role, chosen in options.items()}


@asynccontextmanager
async def _side_by_side() -> AsyncIterator[dict[str, str]]:
    async with procedural() as model, serve(model) as teacher, serve(model) as student:
        yield {"teacher": teacher.url, "student": student.url}


def _incidents(run_id: int) -> list[str]:
    with unit_of_work() as session:
        return list(session.scalars(select(Incident.kind).where(Incident.run_id == run_id)))
