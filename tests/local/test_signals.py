"""What the first signal does, and the second."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from app.local.signals import ended_by_signal


async def _wait(kills: list[str], say: Any) -> None:
    task = asyncio.current_task()
    assert task is not None
    with ended_by_signal(task, lambda: kills.append("killed"), say):
        os.kill(os.getpid(), signal.SIGHUP)
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            while not kills:  # noqa: ASYNC110 (a signal's handler)
                await asyncio.sleep(0)


async def test_the_first_ends_in_order_and_the_second_kills() -> None:
    said: list[str] = []
    kills: list[str] = []
    await _wait(kills, said.append)
    assert (said, kills) == (["Stopping."], ["killed"])


async def test_a_terminal_that_hung_up_keeps_nothing_from_ending() -> None:
    def say(_line: str) -> None:
        raise OSError(5, "Input/output error")

    problems: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(str(context["exception"])))
    await _wait([], say)
    assert problems == ["[Errno 5] Input/output error"]


async def test_a_cancellation_of_another_kind_goes_on() -> None:
    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        with ended_by_signal(task, lambda: None, print):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
