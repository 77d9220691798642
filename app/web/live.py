"""Who waits for news of a run, woken through Redis; where Redis is away, the database is asked more often.

One subscription per process serves every open page.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app import events

_RETRY_S = 2.0
_CALM_S = 5.0  # between two looks at the database while Redis wakes us: what a lost message costs at most
_POLL_S = 1.0  # and while it is away
_log = logging.getLogger(__name__)


class Nudges:
    """An async context manager that listens while it is open."""

    def __init__(self) -> None:
        self._waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._connected = False
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if events.redis_url():
            self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    @contextmanager
    def of(self, run_id: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever something may have happened to the run."""
        woken = asyncio.Event()
        self._waiting[run_id].add(woken)
        try:
            yield woken
        finally:
            self._waiting[run_id].discard(woken)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    async def sleep(self, woken: asyncio.Event) -> None:
        """Until `woken` is set, or it is time to look all the same."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CALM_S if self._connected else _POLL_S):
                await woken.wait()

    async def _listen(self) -> None:
        while True:
            try:
                async with (
                    Redis.from_url(events.redis_url(), socket_connect_timeout=2) as client,
                    client.pubsub() as heard,
                ):
                    await heard.psubscribe(events.channel("*"))
                    async for message in heard.listen():
                        self._connected = True
                        self._wake(message)
            except (RedisError, OSError) as error:
                _log.warning("live pages ask the database: Redis is away (%s)", type(error).__name__)
            self._connected = False
            await asyncio.sleep(_RETRY_S)

    def _wake(self, message: dict[str, Any]) -> None:
        if message["type"] == "pmessage":
            for woken in self._waiting.get(events.run_of(message["channel"].decode()), ()):
                woken.set()
