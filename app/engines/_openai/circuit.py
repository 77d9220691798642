"""A circuit for one server: after connection failures in a row, one probe asks for all whether it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.errors import EngineError

_FAILURES = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
# After this long a waiting request tells of the trouble, so that whoever made it can lose patience.
_WAIT_S = 60.0


class Circuit:
    """Closed while the server answers. `probe` tells whether it does; it raises nothing."""

    def __init__(self, url: str, probe: Callable[[], Awaitable[bool]]) -> None:
        self._url = url
        self._probe = probe
        self._failures = 0
        self._closed = asyncio.Event()
        self._closed.set()
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return not self._closed.is_set()

    async def passage(self) -> None:
        """Waits while the circuit is open. Raises EngineError when that lasts."""
        if not self.is_open:
            return
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._closed.wait()
        except TimeoutError as error:
            raise EngineError(
                "unreachable",
                f"{self._url} has not come back for {_WAIT_S:g} s.",
                retryable=True,
                remedy="Start the model server and resume; or start anew with the right address.",
            ) from error

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        """A connection could not be made, or broke."""
        self._failures += 1
        if self._failures >= _FAILURES and not self.is_open:
            self._closed.clear()
            self._probing = asyncio.create_task(self._wait_for_server(), name=f"probe {self._url}")

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _wait_for_server(self) -> None:
        pause = _FIRST_PAUSE_S
        while not await self._probe():
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        self._failures = 0
        self._closed.set()
