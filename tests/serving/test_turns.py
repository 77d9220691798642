"""A connection is a turn: workers ask for it over HTTP, and give it back by hanging up, in whatever way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
import pytest_asyncio

from app.engines.vllm.turns import ServedTurns, turns_at
from app.errors import EngineError, Unavailable
from app.serving import switch
from app.serving import turns as served
from app.serving.switch import Member, Switch
from tests.support.ports import own_port


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_EVERY_S", 0.02)


class Machine:
    """A switch of two models that move at once, behind its server. `awake` is written down by them."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.awake = ""
        self.port = 0
        self.serving = AsyncExitStack()
        for name in ("teacher", "student"):
            self.switch.add(Member(name, self._sleep, lambda n=name: self._wake(n), lambda _: None))

    async def _sleep(self) -> None:
        self.awake = ""

    async def _wake(self, name: str) -> None:
        self.awake = name

    async def open(self) -> None:
        switches = {"teacher": self.switch, "student": self.switch}
        self.port = await self.serving.enter_async_context(served.turns(switches, "127.0.0.1", self.port))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/turns/{name}"


@pytest_asyncio.fixture
async def machine() -> AsyncIterator[Machine]:
    found = Machine()
    running = asyncio.create_task(found.switch.run())
    for name in ("teacher", "student"):
        await found.switch.make_room(name)
        found.switch.ready(name)
    found.port = own_port()
    await found.open()
    yield found
    await found.serving.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _nothing() -> None: ...


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 (the other end of a connection)
        await asyncio.sleep(0.01)


async def _held(turns: ServedTurns) -> asyncio.Task[None]:
    """Returns once the turn has begun; cancel the task to give it back."""
    begun = asyncio.Event()
    task = asyncio.create_task(turns.hold(begun.set, _nothing))
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task


async def test_turns_alternate_as_connections_close(machine: Machine) -> None:
    async with turns_at(machine.url("teacher")) as teacher, turns_at(machine.url("student")) as student:
        first, second = await _held(teacher), await _held(teacher)
        assert machine.awake == "teacher"
        waiting = asyncio.create_task(_held(student))
        first.cancel()
        await asyncio.sleep(0.2)
        assert not waiting.done(), "the other worker still holds it"
        second.cancel()
        third = await waiting
        assert machine.awake == "student"
        third.cancel()
        await asyncio.gather(first, second, third, return_exceptions=True)


async def test_who_holds_a_turn_is_told_when_others_have_waited_long(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_OWED_S", 0.0)
    contested = asyncio.Event()
    async with turns_at(machine.url("teacher")) as teacher, turns_at(machine.url("student")) as student:
        first = asyncio.create_task(teacher.hold(_nothing, contested.set))
        await until(lambda: machine.awake == "teacher")
        waiting = asyncio.create_task(_held(student))
        await contested.wait()
        first.cancel()
        second = await waiting
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)


async def test_a_worker_that_is_gone_gives_its_turn_back(machine: Machine) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", machine.port)
    writer.write(b"GET /turns/teacher HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"go\n")
    async with turns_at(machine.url("student")) as student:
        waiting = asyncio.create_task(_held(student))
        writer.transport.abort()
        turn = await waiting
        assert machine.awake == "student"
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)


async def test_a_turn_ends_with_its_server_and_can_be_had_again(machine: Machine) -> None:
    async with turns_at(machine.url("teacher")) as teacher:
        turn = await _held(teacher)
        await machine.serving.aclose()
        with pytest.raises(EngineError) as raised:
            await turn
        assert (raised.value.kind, raised.value.retryable) == ("unreachable", True)
        with pytest.raises(EngineError, match="gives no turn"):
            await teacher.hold(_nothing, _nothing)
        await machine.open()
        turn = await _held(teacher)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)


async def test_who_waits_for_a_server_that_is_not_running_is_told_so(machine: Machine) -> None:
    async with turns_at(machine.url("teacher")) as teacher, turns_at(machine.url("student")) as student:
        machine.switch.down("teacher")
        with pytest.raises(EngineError, match="is not running") as raised:
            await teacher.hold(_nothing, _nothing)
        assert (raised.value.kind, raised.value.retryable) == ("unreachable", True)
        turn = await _held(student)
        waiting = asyncio.create_task(_held(teacher))
        await machine.serving.aclose()
        await asyncio.gather(turn, waiting, return_exceptions=True)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 20), b"SSH-2.0-OpenSSH_9.6\r\n", b""])
async def test_something_else_that_answers_there_gives_no_turn(answer: bytes) -> None:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        async with turns_at(f"http://127.0.0.1:{port}/turns/teacher") as teacher:
            with pytest.raises(EngineError) as raised:
                await teacher.hold(_nothing, _nothing)
    assert raised.value.kind == "unreachable"


async def test_a_model_that_takes_no_turns_is_told_apart(machine: Machine) -> None:
    async with turns_at(machine.url("nobody")) as nobody:
        with pytest.raises(EngineError) as raised:
            await nobody.hold(_nothing, _nothing)
    assert (raised.value.kind, raised.value.retryable) == ("not_found", False)


async def test_a_page_in_a_browser_gets_no_turn(machine: Machine) -> None:
    async with aiohttp.ClientSession() as browser:
        for header in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "none"}):
            async with browser.get(machine.url("teacher"), headers=header) as answer:
                assert answer.status == 403
    assert machine.awake == ""


async def test_who_does_not_listen_loses_its_turn(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the line open, whatever it is told."""
    monkeypatch.setattr(machine.switch, "is_contested", lambda _: True)
    monkeypatch.setattr(served, "_LONGEST_S", 0.1)
    async with aiohttp.ClientSession() as deaf, deaf.get(machine.url("teacher")) as answer:
        lines = (await answer.read()).split()
    assert lines[-1] == b"yield"
    assert b"go" in lines


async def test_a_taken_port_is_said(machine: Machine) -> None:
    with pytest.raises(Unavailable, match="turns_port"):
        async with served.turns({}, "127.0.0.1", machine.port):
            pass
