"""What live pages hear of: a row in the transaction of the change, then a nudge through Redis.

The nudge only says "look again"; without Redis listeners poll, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache

import redis
from sqlalchemy import insert

from app.config import settings
from app.db import Session, after_commit
from app.models import Event
from app.models.base import table_of

_log = logging.getLogger(__name__)

# After a nudge, so long none: a large run writes a hundred variants in a second, and pages look twice.
_REST_S = 0.5

# Of the table rather than of the class: a run writes one for every variant, and this is several times as quick.
_ADD = insert(table_of(Event))


def redis_url() -> str:
    """The broker's address as redis-py spells it (Celery writes Unix sockets as redis+socket://)."""
    return (settings().redis_url or "").replace("redis+socket://", "unix://", 1)


def channel(run_id: int | str) -> str:
    """Where a run's nudges go; of `*`, the pattern of all runs."""
    return f"cairn:run:{run_id}"


def run_of(name: str) -> int:
    """The run that a channel belongs to."""
    return int(name.rpartition(":")[2])


@lru_cache
def client() -> redis.Redis:
    """Of this process; gives up after a second."""
    return redis.Redis.from_url(redis_url(), socket_connect_timeout=1, socket_timeout=1)


def publish(session: Session, workspace_id: int, run_id: int, kind: str, subject: int | None = None) -> None:
    """Records that `kind` happened to a run, and wakes its listeners after the commit."""
    session.execute(_ADD, {"workspace_id": workspace_id, "run_id": run_id, "kind": kind, "subject": subject})
    after_commit(session, lambda: nudge(run_id, kind))


def ping() -> None:
    """Raises redis.RedisError, or ValueError for an address that is none, where Redis does not answer."""
    client().ping()


def nudge(run_id: int, kind: str) -> None:
    """Wakes the run's listeners. Raises redis.RedisError."""
    client().publish(channel(run_id), kind)


class Nudger:
    """Wakes one run's listeners from an event loop, which never waits for Redis."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._kinds: set[str] = set()
        self._sending: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def add(self, kind: str) -> None:
        """What was committed just now."""
        self._kinds.add(kind)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Sends what is left."""
        self._closing.set()
        if self._sending is not None:
            await asyncio.wait([self._sending])  # which goes on where this is cancelled

    async def _send(self) -> None:
        while self._kinds:
            kinds, self._kinds = self._kinds, set()
            await asyncio.to_thread(self._nudge, kinds)
            with suppress(TimeoutError):
                async with asyncio.timeout(_REST_S):
                    await self._closing.wait()

    def _nudge(self, kinds: Collection[str]) -> None:
        try:
            for kind in sorted(kinds):
                nudge(self._run_id, kind)
        except Exception:  # noqa: BLE001 - the database holds the truth, and listeners poll
            _log.warning("run %s: a nudge failed", self._run_id, exc_info=True)
