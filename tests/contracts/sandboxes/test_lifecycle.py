"""Opening, closing, losing and cancelling: no request is lost, none gets another's answer, and nothing lives on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from app import registry
from app.domain.ports import Call, Isolation, Limits, Program, Sandbox, Status
from app.errors import IsolationTooWeak, SandboxUnavailable
from tests.contracts.sandboxes.conftest import processes

Opener = Callable[..., contextlib.AbstractAsyncContextManager[Sandbox]]
ECHO = "def f(x):\n    return x"
SPIN = "def f(x):\n    while True: pass"


def echo(value: object) -> Program:
    return Program(ECHO, (Call("f", (value,)),))


@pytest.fixture(params=registry.sandboxes())
def opener(request: pytest.FixtureRequest) -> Opener:
    return registry.sandbox(request.param).open  # type: ignore[attr-defined,no-any-return]


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a process of others ends without an event
            await asyncio.sleep(0.02)


async def test_nothing_is_left_after_closing(opener: Opener) -> None:
    before = processes()
    async with opener(size=2) as sandbox:
        await asyncio.gather(*(sandbox.run(echo(1), replica=replica) for replica in (0, 0, 1, 1)))
        assert len(processes()) > len(before)
    await eventually(lambda: processes() <= before)


async def test_closing_ends_what_runs(opener: Opener) -> None:
    before = processes()
    async with opener() as sandbox:
        task = asyncio.create_task(sandbox.run(Program(SPIN, (Call("f", (1,)),), Limits(60_000, 60_000))))
        await asyncio.sleep(0.2)
    with pytest.raises(SandboxUnavailable):
        await task
    await eventually(lambda: processes() <= before)


async def test_too_weak_a_level_is_refused_with_a_remedy(opener: Opener) -> None:
    before = processes()
    with pytest.raises(IsolationTooWeak) as caught:
        async with opener(minimum=Isolation.FULL, strongest=Isolation.FILTERED):
            pass
    assert caught.value.field == "minimum_isolation"
    assert caught.value.remedy
    await eventually(lambda: processes() <= before)


async def test_preloaded_modules_can_be_imported(opener: Opener) -> None:
    async with opener(preload=["app.domain.values"]) as sandbox:
        source = "from app.domain.values import parse_literal\nimport app.domain.values.codec as c\n"
        source += "def f(x):\n    return parse_literal(x)"
        execution = await sandbox.run(Program(source, (Call("f", ("{1: 2}",)),)))
        assert execution.outcomes[0].value == {1: 2}
    with pytest.raises(SandboxUnavailable, match=r"app\.no_such_module"):
        async with opener(preload=["app.no_such_module"]):
            pass


async def test_a_dead_interpreter_costs_no_request(opener: Opener) -> None:
    others = psutil.Process().children()  # the databases of other tests, for one
    async with opener(size=2) as sandbox:
        for round_ in range(4):
            program = Program("def f(x):\n    for _ in range(100_000): pass\n    return x", (Call("f", (round_,)),))
            tasks = [asyncio.create_task(sandbox.run(program)) for _ in range(20)]
            await tasks[round_]
            next(child for child in psutil.Process().children() if child not in others).send_signal(signal.SIGKILL)
            executions = await asyncio.gather(*tasks)
            assert [execution.outcomes[0].value for execution in executions] == [round_] * 20


async def test_cancelling_mixes_nothing_up(opener: Opener) -> None:
    chance = random.Random(7)
    async with opener(size=2) as sandbox:

        async def ask(number: int) -> None:
            payload = [number, "x" * chance.choice([1, 100_000])]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.choice([0, 0.0005, 0.002, 0.01, 10])):
                    assert (await sandbox.run(echo(payload))).outcomes[0].value == payload

        await asyncio.gather(*map(ask, range(200)))
        assert (await sandbox.run(echo("last"))).outcomes[0].value == "last"


async def test_cancelled_at_opening(opener: Opener) -> None:
    before = processes()
    for delay in (0, 0.005, 0.05, 0.1):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay), opener():
                await asyncio.sleep(1)
    await eventually(lambda: processes() <= before)


async def test_large_arguments_and_results(opener: Opener) -> None:
    text = "x" * 3_000_000
    async with opener() as sandbox:
        program = Program(ECHO, (Call("f", (text,)),), Limits(memory_mb=512, output_bytes=4 << 20, wall_ms=5_000))
        assert (await sandbox.run(program)).outcomes[0].value == text


async def test_memory_limit_is_on_top_of_the_interpreter(opener: Opener) -> None:
    async with opener() as sandbox:

        async def status(size_mb: int) -> Status:
            source = f"def f():\n    return len(bytearray({size_mb} << 20))"
            return (await sandbox.run(Program(source, (Call("f", ()),), Limits(memory_mb=64)))).outcomes[0].status

        assert await status(48) is Status.VALUE
        assert await status(65) is Status.MEMORY


DRIVER = """
import asyncio, signal, sys
from app import registry
from app.domain.ports import Call, Limits, Program
async def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, shells have it ignored
    async with registry.sandbox(sys.argv[1]).open(size=2) as sandbox:
        forever = Program("def f():\\n    while True: pass", (Call("f", ()),), Limits(600_000, 600_000))
        tasks = [asyncio.create_task(sandbox.run(forever, replica=r)) for r in (0, 0, 1)]
        await asyncio.sleep(1.5)
        print("running", flush=True)
        await asyncio.gather(*tasks)
asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", registry.sandboxes())
async def test_nothing_outlives_a_driver_that_is_killed(name: str, how: signal.Signals) -> None:
    driver = subprocess.Popen(  # noqa: ASYNC220 - the line it prints is awaited below
        [sys.executable, "-c", DRIVER, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with driver:
        try:
            assert driver.stdout
            assert await asyncio.to_thread(driver.stdout.readline) == "running\n"
            inside = psutil.Process(driver.pid).children(recursive=True)
            assert len(inside) >= 6
            os.kill(driver.pid, how)
            await eventually(lambda: driver.poll() is not None)
            await eventually(lambda: not any(child.is_running() for child in inside))
        finally:
            driver.kill()


async def test_many_runs_leave_no_descriptor(opener: Opener) -> None:
    async with opener() as sandbox:
        await sandbox.run(echo(0))
        before = psutil.Process().num_fds()
        for number in range(300):
            assert (await sandbox.run(echo(number))).outcomes[0].value == number
        assert psutil.Process().num_fds() == before
