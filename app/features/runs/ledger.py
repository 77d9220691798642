"""A lane's way to the database: what an action writes is a transaction, and a restart of the database is waited for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, Concatenate, ParamSpec, TypeVar

from app.db import Session, Writing, unit_of_work
from app.direct import Direct
from app.errors import AppError, LeaseLost

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4  # well under the pool of connections
_DIRECTS = 4  # beside the pool: enough for thousands of commits in a second
_Job = tuple[Callable[[], Writing[Any]], asyncio.Future[Any]]


class Ledger:
    """Runs actions, first come, first served. They are idempotent, so an unknown end is tried again.

    Who waits for one may be cancelled at any time: what was begun comes to its end all the same.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")
        self._jobs: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._writers: list[asyncio.Task[None]] = []

    async def write(self, action: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`action(session, ...)` in a thread. Raises what it raises; Unavailable only after the patience is used up."""

        def within() -> T:
            with unit_of_work() as session:
                return action(session, *args, **kwargs)

        async def once() -> T:
            return await asyncio.get_running_loop().run_in_executor(self._threads, within)

        return await self._patiently(once)

    async def save(self, action: Callable[P, Writing[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `action(...)` yields, over a connection that the event loop drives. Raises as `write` does."""
        if not self._writers:
            self._writers = [asyncio.create_task(self._keep_writing()) for _ in range(_DIRECTS)]

        def once() -> asyncio.Future[T]:
            done = asyncio.get_running_loop().create_future()
            self._jobs.put_nowait((lambda: action(*args, **kwargs), done))
            return done

        return await self._patiently(once)

    async def _keep_writing(self) -> None:
        async with aclosing(Direct()) as direct:
            while job := await self._jobs.get():
                await _do(direct, *job)
                del job

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
        """After all that was begun."""
        self._threads.shutdown(wait=True)
        for _ in self._writers:
            self._jobs.put_nowait(None)
        await asyncio.gather(*self._writers)


async def _do(direct: Direct, writing: Callable[[], Writing[T]], done: asyncio.Future[T]) -> None:
    if done.cancelled():
        return
    try:
        result = await direct.run(writing())
        if not done.cancelled():
            done.set_result(result)
    except Exception as error:  # noqa: BLE001 - for who waits for it
        if not done.cancelled():
            done.set_exception(error)
    finally:
        del writing, done  # else an error and this frame would hold each other
