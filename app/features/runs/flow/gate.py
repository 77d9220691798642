"""Where two models share a GPU: lets a lane's requests through while their model has its turn.

The turn is asked for with the first request and kept until none is under way or waits, in the limiter too, so that all
chains are served before the weights move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.ports import Turns
from app.features.runs.flow.limiter import Stopped


class Gate:
    """Always open where `turns` is None."""

    def __init__(self, turns: Turns | None) -> None:
        self._turns = turns
        self._wanted = 0
        self._closed = False
        self._holding: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Keeps the turn, once it has come, for the length of the block."""
        self._wanted += 1
        try:
            yield
        finally:
            self._wanted -= 1
            if not self._wanted and self._holding is not None:
                self._holding.cancel()
                self._holding = None

    async def passage(self) -> None:
        """Waits for the turn. Raises EngineError where it can't be had, Stopped where the lane ends first."""
        if self._turns is None:
            return
        if self._holding is None or self._holding.done():
            if self._closed:
                raise Stopped
            self._begun = asyncio.get_running_loop().create_future()
            self._holding = asyncio.create_task(self._hold(self._turns, self._begun), name="hold a model's turn")
        if self._begun is not None:
            await asyncio.shield(self._begun)

    def close(self) -> None:
        """Lets nobody in any more who still waits for a turn."""
        self._closed = True
        if self._begun is not None:
            _fail(self._begun, Stopped())

    async def _hold(self, turns: Turns, begun: asyncio.Future[None]) -> None:
        """A turn that is lost while it is used is asked for anew by the next request, or the next try of one."""

        def begin() -> None:
            if not begun.done():
                begun.set_result(None)

        try:
            await turns.hold(begin)
        except Exception as error:  # noqa: BLE001 (told to those who wait, as EngineError is)
            _fail(begun, error)
        finally:
            begun.cancel()


def _fail(begun: asyncio.Future[None], error: Exception) -> None:
    if not begun.done():
        begun.set_exception(error)
        begun.exception()  # told to those who wait, if anyone does
