"""What the sandbox's benchmark measures the sandbox against still answers as the sandbox does."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from app.domain.ports import Isolation
from bench.sandbox import Contenders, job


async def test_the_floor_and_the_bare_fork_run_programs_of_the_sandbox() -> None:
    async with AsyncExitStack() as stack:
        contenders = Contenders(stack, others=Path("not used"))
        await contenders.add("cairn", 1, lambda size: contenders._cairn(size, Isolation.FILTERED))
        await contenders.add("floor", 1, contenders._floor)
        await contenders.add("bare fork", 1, contenders._bare)
        for batch in contenders.batches.values():  # raises for a wrong answer
            assert len(await batch([job(5), job(5, shift=3)])) == 2
