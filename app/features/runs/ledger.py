"""The lane's way to the database: one short transaction per call, off the event loop, patient with a restart."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar, cast

from app.db import Direct, Session, unit_of_work
from app.errors import AppError, LeaseLost

P = ParamSpec("P")
T = TypeVar("T")

# Enough to keep commits of many chains flowing; well under the pool of connections.
_THREADS = 4


class Ledger:
    """Runs actions, each in a transaction of its own. They are idempotent, so an unknown end is tried again."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")
        self._local = threading.local()
        self._directs: list[Direct] = []

    async def write(self, action: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`action(session, ...)`. Raises what it raises; Unavailable only after the patience is used up."""

        def once() -> T:
            with unit_of_work() as session:
                return action(session, *args, **kwargs)

        return await self._patiently(once)

    async def save(self, action: Callable[Concatenate[Direct, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`action(direct, ...)`, for what needs no unit of work. Raises as `write` does."""
        return await self._patiently(lambda: action(self._direct(), *args, **kwargs))

    def _direct(self) -> Direct:
        """This thread's."""
        if not hasattr(self._local, "direct"):
            self._local.direct = Direct()
            self._directs.append(self._local.direct)
        return cast("Direct", self._local.direct)

    async def _patiently(self, once: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        delay = 0.1
        while True:
            try:
                return await loop.run_in_executor(self._threads, once)
            except LeaseLost:
                raise
            except AppError as error:
                if not (error.retryable or error.status == 409) or loop.time() + delay > deadline:
                    raise
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            delay = min(delay * 2, 5.0)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        for direct in self._directs:
            direct.close()
