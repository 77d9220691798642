"""Turns of a model that shares its GPUs, as `cairn serve-models` gives them: one as long as a connection stays open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import aiohttp

from app.engines._openai import reach
from app.errors import EngineError

# A line comes every second, also while another model has its turn.
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10.0, sock_read=30.0)
_REMEDY = "Start `cairn serve-models` and resume; or start anew with the right turns_url."


class ServedTurns:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def hold(self, begun: Callable[[], None], contested: Callable[[], None]) -> NoReturn:
        """Keeps the turn, from when it calls `begun`, until cancelled. Raises EngineError where it can't be had."""
        try:
            async with self._http.get(self._url, allow_redirects=False) as response:
                if response.status != 200:
                    raise EngineError(
                        "not_found",
                        f"{self._url} answered {response.status} when a turn was asked for.",
                        retryable=response.status >= 500,
                        remedy=_REMEDY,
                    )
                why = "the connection ended"
                async for line in response.content:
                    if line == b"go\n":
                        begun()
                    elif line == b"yield\n":
                        contested()
                    elif line == b"down\n":
                        why = "the model's server is not running"
        # ValueError: a line without an end, of something else that answers there.
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            why = str(error) or type(error).__name__
        raise EngineError("unreachable", f"{self._url} gives no turn: {why}.", retryable=True, remedy=_REMEDY)


@asynccontextmanager
async def turns_at(url: str) -> AsyncIterator[ServedTurns]:
    connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=reach.open_socket)
    async with aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector) as http:
        yield ServedTurns(http, url)
