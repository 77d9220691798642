"""Places for sequences: a request for n samples takes n, and waits its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Stopped(Exception):
    """The lane is ending: the chain stands at a stage boundary, for another lane to go on with."""


class Limiter:
    """First come, first served, so that no large request starves. The limit may change at any time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._closed = False
        self.used = 0

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    @property
    def full(self) -> bool:
        """Whether a request waits, or one more of the usual size would."""
        return bool(self._waiting) or self.used >= self._limit

    @asynccontextmanager
    async def hold(self, places: int) -> AsyncIterator[None]:
        """Takes `places` for the length of the block; more than the limit only when nobody else holds any.

        Raises Stopped where the limiter was closed before the places were free.
        """
        if self._closed:
            raise Stopped
        if self._waiting or not self._fits(places):
            await self._wait(places)
        else:
            self.used += places
        try:
            yield
        finally:
            self.used -= places
            self._admit()

    def close(self) -> None:
        """Lets nobody in any more; those inside stay until they are done."""
        self._closed = True
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Stopped())

    async def _wait(self, places: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((places, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.used -= places  # it was let in at the very moment when it was cancelled
            self._admit()
            raise

    def _fits(self, places: int) -> bool:
        return self.used == 0 or self.used + places <= self._limit

    def _admit(self) -> None:
        # What is done already was cancelled.
        while self._waiting and (self._waiting[0][1].done() or self._fits(self._waiting[0][0])):
            places, turn = self._waiting.popleft()
            if not turn.done():
                self.used += places
                turn.set_result(None)
