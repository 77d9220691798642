"""What live pages hear of: a row in the transaction of the change, then a nudge through Redis.

The nudge only says "look again"; without Redis listeners poll, and nothing is lost.
"""

from __future__ import annotations

from functools import lru_cache

import redis
from sqlalchemy import insert

from app.config import settings
from app.db import Session, after_commit
from app.models import Event
from app.models.base import table_of

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
