"""The way to the database of a lane: a short transaction per call, patient with a restart, beside the event loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from app.db import Direct, Session, Writing, unit_of_work
from app.errors import AppError, LeaseLost

P = ParamSpec("P")
T = TypeVar("T")

# Enough to keep commits of many chains flowing; well under the pool of connections.
_THREADS = 4
_DIRECTS = 4


class Ledger:
    """Runs actions, each in a transaction of its own. They are idempotent, so an unknown end is tried again."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")
        self._directs = [Direct() for _ in range(_DIRECTS)]
        self._free: asyncio.LifoQueue[Direct] = asyncio.LifoQueue()
        for direct in self._directs:
            self._free.put_nowait(direct)

    async def write(self, action: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`action(session, ...)` in a thread. Raises what it raises; Unavailable only after the patience is used up."""

        def within() -> T:
            with unit_of_work() as session:
                return action(session, *args, **kwargs)

        async def once() -> T:
            return await asyncio.get_running_loop().run_in_executor(self._threads, within)

        return await self._patiently(once)

    async def save(self, action: Callable[P, Writing[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `action(...)` yields, over a connection of the loop's own. Raises as `write` does."""

        async def once() -> T:
            direct = await self._free.get()
            try:
                return await direct.run(action(*args, **kwargs))
            finally:
                self._free.put_nowait(direct)

        return await self._patiently(once)

    async def _patiently(self, once: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        delay = 0.1
        while True:
            try:
                return await once()
            except LeaseLost:
                raise
            except AppError as error:
                if not (error.retryable or error.status == 409) or loop.time() + delay > deadline:
                    raise
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            delay = min(delay * 2, 5.0)

    async def close(self) -> None:
        self._threads.shutdown(wait=True)
        for direct in self._directs:
            await direct.aclose()
