"""A lane's way to the database: what an action writes is a transaction, and a restart of the database is waited for."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from app.db import Session, Writing, unit_of_work
from app.direct import Direct, settle
from app.errors import AppError, LeaseLost

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4  # well under the pool of connections
_DIRECTS = 4  # beside the pool: enough for thousands of commits in a second
_Job = tuple[Writing[Any], asyncio.Future[Any]]


class Ledger:
    """Runs actions, first come, first served. They are idempotent, so an unknown end is tried again.

    Who waits for one may be cancelled at any time: what was begun comes to its end all the same.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")
        self._jobs: deque[_Job] = deque()
        self._free = [Direct() for _ in range(_DIRECTS)]
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_rest = asyncio.Event()
        self._at_rest.set()

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

        def once() -> asyncio.Future[T]:
            done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._jobs.append((action(*args, **kwargs), done))
            self._at_rest.clear()
            self._begin()
            try:
                return done
            finally:
                del done  # else an error, whose frames know this one, and it would hold each other

        return await self._patiently(once)

    def _begin(self) -> None:
        """What waits for a connection, on those that are free."""
        while self._jobs and self._free:
            writing, done = self._jobs.popleft()
            if done.cancelled():
                continue
            direct = self._free.pop()
            if direct.ready:
                direct.start(writing, partial(self._ended, direct, done))
            else:
                self._spawn(self._run(direct, writing, done))
            del writing, done  # as in `save`
        self._note_rest()

    def _note_rest(self) -> None:
        if not self._jobs and len(self._free) == _DIRECTS:
            self._at_rest.set()

    def _ended(self, direct: Direct, done: asyncio.Future[Any], result: object, error: Exception | None) -> None:
        settle(done, result, error)
        if direct.ready:
            self._release(direct)
        else:
            self._spawn(self._mend(direct))

    def _release(self, direct: Direct) -> None:
        self._free.append(direct)
        if self._jobs:
            asyncio.get_running_loop().call_soon(self._begin)  # not at once: it may have been called from there
        self._note_rest()

    async def _run(self, direct: Direct, writing: Writing[Any], done: asyncio.Future[Any]) -> None:
        """On a connection that is to be opened first."""
        try:
            settle(done, await direct.run(writing), None)
        except Exception as error:  # noqa: BLE001 - for who waits for it
            settle(done, None, error)
        finally:
            done.cancel()  # where this task was
            del writing, done  # as in `save`
            self._release(direct)

    async def _mend(self, direct: Direct) -> None:
        try:
            await direct.aclose()
        finally:
            self._release(direct)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        while not self._at_rest.is_set():  # whoever was told may have come again
            await self._at_rest.wait()
        for direct in self._free:
            await direct.aclose()
