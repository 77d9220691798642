"""Lanes in processes of the command's own, beside any workers, for as long as it follows what they do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.config import settings

T = TypeVar("T")
_RESPAWN_S = 1.0


async def driven(run_id: int, following: Coroutine[Any, Any, T]) -> T:
    """What `following` returns; lanes drive the run until then."""
    driving = asyncio.create_task(_drive(run_id))
    follower = asyncio.create_task(following)
    try:
        await asyncio.wait((driving, follower), return_when=asyncio.FIRST_COMPLETED)
        if driving.done():
            driving.result()  # lanes are kept up until cancelled: it ends by itself only where none can be started
        return await follower
    finally:
        for task in (driving, follower):
            task.cancel()
        await asyncio.gather(driving, follower, return_exceptions=True)


async def _drive(run_id: int) -> None:
    async with asyncio.TaskGroup() as lanes:
        for _ in range(settings().worker_processes):
            lanes.create_task(_keep_lane(run_id))


async def _keep_lane(run_id: int) -> None:
    """One lane at a time; one that dies is replaced, as a worker's would be."""
    while True:
        lane = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.cli.lane", str(run_id))
        try:
            await lane.wait()
        finally:
            if lane.returncode is None:
                lane.terminate()
                await lane.wait()
        await asyncio.sleep(_RESPAWN_S)
