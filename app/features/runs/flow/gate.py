"""Where two models share a GPU: lets a lane's requests through while their model has its turn.

The turn is asked for with the first request and kept until none is under way or waits, in the limiter too, so that all
chains are served before the weights move; or until others have waited too long, when it is given back in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from app.domain.ports import Turns
from app.features.runs.flow.limiter import Stopped


class Gate:
    """Always open where `turns` is None."""

    def __init__(self, turns: Turns | None) -> None:
        self._turns = turns
        self._wanted = 0
        self._inside = 0
        self._closed = False
        self._turn: _Turn | None = None

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Keeps the turn, once it has come, for the length of the block."""
        self._wanted += 1
        try:
            yield
        finally:
            self._wanted -= 1
            self._settle()

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """The block is within the turn. Raises EngineError where it can't be had, Stopped where the lane ends first."""
        if self._turns is not None:
            await self._come(self._turns)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._settle()

    def close(self) -> None:
        """Lets nobody in any more who still waits for a turn."""
        self._closed = True
        if self._turn is not None:
            self._turn.refuse(Stopped())

    async def _come(self, turns: Turns) -> None:
        while True:
            turn = self._turn
            # One that was lost while it was used is asked for anew by the next request, or the next try of one.
            if turn is None or turn.holding.done():
                if self._closed:
                    raise Stopped
                turn = self._turn = _Turn(turns, self._settle)
            await asyncio.shield(turn.begun)
            if not turn.contested:
                return
            await asyncio.wait([turn.holding])

    def _settle(self) -> None:
        """Gives the turn back where it is not needed, or others wait and this is a good moment."""
        turn = self._turn
        if turn is not None and (not self._wanted or (turn.contested and not self._inside)):
            turn.holding.cancel()
            self._turn = None


class _Turn:
    """From asking for it to giving it back, which cancelling `holding` does."""

    def __init__(self, turns: Turns, settle: Callable[[], None]) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.contested = False
        self._settle = settle
        self.holding = asyncio.create_task(self._hold(turns), name="hold a model's turn")

    def refuse(self, error: Exception) -> None:
        if not self.begun.done():
            self.begun.set_exception(error)
            self.begun.exception()  # told to those who wait, if anyone does

    async def _hold(self, turns: Turns) -> None:
        try:
            await turns.hold(self._begin, self._contest)
        except Exception as error:  # noqa: BLE001 (told to those who wait, as EngineError is)
            self.refuse(error)
        finally:
            self.begun.cancel()

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _contest(self) -> None:
        self.contested = True
        self._settle()
