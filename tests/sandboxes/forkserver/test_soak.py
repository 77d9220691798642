"""Many runs in a row: flat memory, flat descriptors, no stray process, and every answer its own."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest

from app.domain.ports import Call, Limits, Program, Status
from app.sandboxes.forkserver import ForkServerSandbox

RUNS = int(os.environ.get("SOAK_RUNS", "100000"))
SIZE = 2
GROWTH = 4 << 20  # bytes; a leak of 100 bytes in each run would be 10 MB
ODD = {
    "an exception": ("def f(x):\n    raise ValueError(x)", Status.EXCEPTION),
    "a crash": ("import sys\ndef f(x):\n    sys.modules['os'].abort()", Status.CRASHED),
    "a memory bomb": ("def f(x):\n    return [0] * 10 ** 9", Status.MEMORY),
    "a loop": ("def f(x):\n    while True: pass", Status.TIMEOUT),
    "too much output": ("def f(x):\n    return 'x' * 10 ** 6", Status.OUTPUT_LIMIT),
}


@pytest.mark.slow
@pytest.mark.timeout(0)  # a million runs take half an hour
async def test_memory_and_descriptors_stay_flat() -> None:
    limits = Limits(wall_ms=2_000, cpu_ms=30, output_bytes=1 << 16)
    odd = list(ODD.values())
    async with ForkServerSandbox.open(size=SIZE) as sandbox:

        async def run(number: int) -> None:
            if number % 100 == 99:
                source, expected = odd[number // 100 % len(odd)]
                outcome = (await sandbox.run(Program(source, (Call("f", (number,)),), limits))).outcomes[0]
                assert outcome.status is expected
            else:
                source = f"def f(x):\n    return [x, {number}, 'y' * {number % 1000}]"
                outcome = (await sandbox.run(Program(source, (Call("f", (number,)),)))).outcomes[0]
                assert outcome.value == [number, number, "y" * (number % 1000)]

        async def run_all(first: int, end: int) -> None:
            numbers = iter(range(first, end))

            async def work() -> None:
                for number in numbers:
                    await run(number)

            await asyncio.gather(*(work() for _ in range(2 * SIZE)))

        settled = max(1_000, RUNS // 10)
        await run_all(0, settled)
        before = _usage()
        await run_all(settled, settled + RUNS)
        after = _usage()
    assert after.keys() == before.keys(), "an interpreter was replaced, or a process was left"
    for process, (memory, descriptors) in before.items():
        assert after[process][0] - memory < GROWTH, f"{process} grew"
        assert after[process][1] == descriptors, f"{process} keeps descriptors"


def _usage() -> dict[psutil.Process, tuple[int, int]]:
    """Memory of its own and descriptors, of this process and of the sandbox's."""
    own = psutil.Process()
    return {process: (_memory(process), _descriptors(process)) for process in [own, *own.children(recursive=True)]}


def _memory(process: psutil.Process) -> int:
    """What is resident and backed by no file; unlike the kernel's finer accounts, anyone may read it."""
    info = process.memory_info()
    return int(info.rss - info.shared)


def _descriptors(process: psutil.Process) -> int:
    try:
        return int(process.num_fds())
    except psutil.AccessDenied:
        return 0  # only root may count those of the sandbox, which may hold 64 at most
