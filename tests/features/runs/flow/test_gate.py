"""A lane's requests wait for their model's turn, and keep it until none is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

import pytest

from app.domain.ports import Load
from app.domain.problem import Reply
from app.errors import EngineError
from app.features.runs.flow.gate import Gate
from app.features.runs.flow.limiter import Stopped
from app.features.runs.flow.role import Role


class _Turns:
    """Turns that come when the test says so."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.go = asyncio.Event()
        self.trouble: EngineError | None = None
        self.contest: Callable[[], None] = lambda: None
        self._lost = asyncio.Event()

    async def hold(self, begun: Callable[[], None], contested: Callable[[], None]) -> NoReturn:
        self.contest = contested
        self.held.append("asked")
        try:
            if self.trouble is not None:
                raise self.trouble
            await self.go.wait()
            self.held.append("begun")
            begun()
            await self._lost.wait()
            raise EngineError("unreachable", "lost", retryable=True)
        finally:
            self.held.append("ended")

    async def lose(self) -> None:
        self._lost.set()
        await _settle()
        self._lost.clear()


class _Served:
    ceiling = 2

    async def load(self) -> Load | None:
        return None


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _pass(gate: Gate) -> None:
    async with gate.passing():
        pass


async def test_without_turns_everybody_passes() -> None:
    gate = Gate(None)
    with gate.wanted():
        await _pass(gate)


async def test_one_turn_serves_all_requests_also_those_that_wait_for_places() -> None:
    turns, finish = _Turns(), asyncio.Event()
    role = Role(_Served(), 1, turns)
    served = 0

    async def ask() -> None:
        nonlocal served
        async with role.hold(1):
            await role.watch(answer)
        served += 1

    async def answer() -> list[Reply]:
        await finish.wait()
        return [Reply("text")]

    asking = [asyncio.create_task(ask()) for _ in range(20)]
    await _settle()
    assert (turns.held, served) == (["asked"], 0)
    turns.go.set()
    finish.set()
    await asyncio.gather(*asking)
    await _settle()
    assert served == 20, "two places, one after the other"
    assert turns.held == ["asked", "begun", "ended"]
    await ask()
    await _settle()
    assert turns.held == ["asked", "begun", "ended"] * 2, "given back, so that the other model's turn could come"


async def test_trouble_with_the_turn_reaches_every_request_and_passes() -> None:
    turns = _Turns()
    turns.trouble = EngineError("unreachable", "no switch", retryable=True)
    gate = Gate(turns)
    with gate.wanted():
        found = await asyncio.gather(_pass(gate), _pass(gate), return_exceptions=True)
        assert [str(error) for error in found] == ["no switch", "no switch"]
        turns.trouble = None
        turns.go.set()
        await _pass(gate)


async def test_a_turn_that_was_lost_is_asked_for_again() -> None:
    turns = _Turns()
    gate = Gate(turns)
    turns.go.set()
    with gate.wanted():
        await _pass(gate)
        turns.go.clear()
        await turns.lose()
        again = asyncio.create_task(_pass(gate))
        await _settle()
        assert not again.done()
        turns.go.set()
        await again


async def test_a_lane_that_ends_lets_in_nobody_who_waits_and_leaves_those_inside_alone() -> None:
    turns = _Turns()
    waiting, inside = Gate(turns), Gate(turns)
    turns.go.set()
    with inside.wanted(), waiting.wanted():
        await _pass(inside)
        turns.go.clear()
        passing = asyncio.create_task(_pass(waiting))
        await _settle()
        inside.close()
        waiting.close()
        await _pass(inside)
        with pytest.raises(Stopped):
            await passing
    late = Gate(turns)
    late.close()
    with late.wanted(), pytest.raises(Stopped):
        await _pass(late)
    await _settle()
    assert turns.held.count("ended") == turns.held.count("asked")


async def test_a_turn_that_others_have_waited_for_long_is_given_back_when_nobody_is_inside() -> None:
    turns, finish = _Turns(), asyncio.Event()
    gate = Gate(turns)
    turns.go.set()
    passed: list[str] = []

    async def one(name: str) -> None:
        async with gate.passing():
            passed.append(name)
            await finish.wait()

    with gate.wanted():
        first = asyncio.create_task(one("first"))
        await _settle()
        turns.contest()
        late = asyncio.create_task(one("late"))
        await _settle()
        assert (passed, turns.held) == (["first"], ["asked", "begun"])
        finish.set()
        await asyncio.gather(first, late)
        assert passed == ["first", "late"]
        assert turns.held == ["asked", "begun", "ended", "asked", "begun"]
        turns.contest()
        await _settle()
        assert turns.held[-1] == "ended", "nobody is inside, though some still want it"
