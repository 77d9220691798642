"""Models that share a GPU: one is awake at a time, as long as somebody holds its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.errors import Unavailable
from app.serving import switch as module
from app.serving.switch import Member, Stage, Switch


class Servers:
    """Three servers on one GPU; what happens to them is written down."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.done: list[str] = []
        self.failing: set[str] = set()
        self.members: dict[str, Member] = {}
        for name in ("a", "b", "c"):
            member = Member(name, lambda n=name: self._do(f"{n} sleeps"), lambda n=name: self._do(f"{n} wakes"),
                            lambda _, n=name: self._give_up(n))  # fmt: skip
            self.members[name] = member
            self.switch.add(member)

    async def _do(self, what: str) -> None:
        await asyncio.sleep(0)
        if what in self.failing:
            raise Unavailable(what)
        self.done.append(what)
        assert sum(member.stage is Stage.AWAKE for member in self.members.values()) == 0

    def _give_up(self, name: str) -> None:
        self.done.append(f"{name} killed")
        asyncio.get_running_loop().call_soon(self.switch.down, name)

    async def start(self, name: str) -> None:
        await self.switch.make_room(name)
        self.done.append(f"{name} starts")
        self.switch.ready(name)
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[Servers]:
    """All three have been started, so that `c` is awake."""
    found = Servers()
    running = asyncio.create_task(found.switch.run())
    for name in ("a", "b", "c"):
        await found.start(name)
    assert found.done == ["a starts", "a sleeps", "b starts", "b sleeps", "c starts"]
    found.done.clear()
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_weights_move_when_nobody_holds_the_turn_and_another_is_wanted(servers: Servers) -> None:
    switch = servers.switch
    first, second = switch.ask("c"), switch.ask("c")
    await settle()
    assert first.granted.done()
    assert second.granted.done()
    other = switch.ask("a")
    joining = switch.ask("c")
    switch.leave(first)
    switch.leave(second)
    await settle()
    assert joining.granted.done(), "who comes while the model is awake joins"
    assert not other.granted.done()
    assert servers.done == []
    switch.leave(joining)
    await settle()
    assert other.granted.done()
    assert servers.done == ["c sleeps", "a wakes"]
    switch.leave(other)
    await settle()
    assert servers.done == ["c sleeps", "a wakes"], "nobody wants another"


async def test_who_asked_first_comes_first_and_who_left_is_passed_over(servers: Servers) -> None:
    switch = servers.switch
    holder = switch.ask("c")
    await settle()
    gone, first, second = switch.ask("b"), switch.ask("a"), switch.ask("b")
    switch.leave(gone)
    switch.leave(holder)
    await settle()
    assert (first.granted.done(), second.granted.done()) == (True, False)
    switch.leave(first)
    await settle()
    assert second.granted.done()
    assert servers.done == ["c sleeps", "a wakes", "a sleeps", "b wakes"]


async def test_who_has_waited_long_is_owed_a_turn_that_nobody_delays_any_more(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = servers.switch
    holder, other = switch.ask("c"), switch.ask("a")
    await settle()
    assert not switch.is_contested("c")
    monkeypatch.setattr(module, "_OWED_S", 0.0)
    assert switch.is_contested("c")
    joining, third = switch.ask("c"), switch.ask("b")
    await settle()
    assert not joining.granted.done()
    switch.leave(holder)
    await settle()
    assert [wish.granted.done() for wish in (other, joining, third)] == [True, False, False]
    switch.leave(other)
    await settle()
    assert [wish.granted.done() for wish in (joining, third)] == [True, False]
    switch.leave(joining)
    await settle()
    assert third.granted.done()
    assert servers.done == ["c sleeps", "a wakes", "a sleeps", "c wakes", "c sleeps", "b wakes"]


async def test_a_server_that_fell_over_comes_back_before_another_is_woken(servers: Servers) -> None:
    switch = servers.switch
    holder = switch.ask("c")
    await settle()
    other = switch.ask("a")
    switch.down("c")
    await settle()
    assert not other.granted.done()
    await servers.start("c")
    assert servers.done == ["c starts"]
    switch.leave(holder)
    await settle()
    assert other.granted.done()


async def test_a_server_that_fell_over_asleep_starts_again_when_the_gpu_is_free(servers: Servers) -> None:
    switch = servers.switch
    holder = switch.ask("c")
    await settle()
    switch.down("a")
    starting = asyncio.create_task(servers.start("a"))
    await settle()
    assert not starting.done()
    switch.leave(holder)
    await starting
    assert servers.done == ["c sleeps", "a starts"]


@pytest.mark.parametrize("trouble", ["c sleeps", "a wakes"])
async def test_a_server_that_can_not_be_moved_is_killed_and_the_wish_fulfilled_later(
    servers: Servers, trouble: str
) -> None:
    switch = servers.switch
    servers.failing.add(trouble)
    wish = switch.ask("a")
    await settle()
    name = trouble[0]
    assert f"{name} killed" in servers.done
    if name == "c":
        assert wish.granted.done(), "a killed server has left the GPU too"
        assert servers.members["c"].stage is Stage.DOWN
    else:
        assert not wish.granted.done()
        await servers.start("a")
        assert wish.granted.done()


async def test_a_start_that_nobody_waits_for_any_more_blocks_nobody(servers: Servers) -> None:
    switch = servers.switch
    holder = switch.ask("c")
    await settle()
    switch.down("a")
    starting = asyncio.create_task(switch.make_room("a"))
    await settle()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    wish = switch.ask("b")
    switch.leave(holder)
    await settle()
    assert wish.granted.done()
    assert servers.members["a"].stage is Stage.DOWN
