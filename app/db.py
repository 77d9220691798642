"""The connection to PostgreSQL. `unit_of_work` is the only place that commits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from app.config import settings
from app.errors import AppError, Conflict, StorageFull, Unavailable

__all__ = ["Session", "after_commit", "engine", "unit_of_work"]

_log = logging.getLogger(__name__)
_AFTER = "after_commit"


@lru_cache
def engine() -> Engine:
    """The pool of this process; made on first use, so that it is never shared across a fork."""
    url = settings().database_url
    if not url:
        raise Unavailable("No database is configured.", remedy="Set DATABASE_URL, or start with `cairn up`.")
    return create_engine(
        url,
        pool_size=8,
        max_overflow=8,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "application_name": "cairn"},
    )


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Runs `action` once the unit of work is durable; never when it is rolled back."""
    session.info.setdefault(_AFTER, []).append(action)


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One transaction: committed at the end of the block, rolled back on any error.

    Raises Unavailable where the database is out of reach, StorageFull where it has no room.
    """
    try:
        with Session(engine(), expire_on_commit=False) as session:
            with session.begin():
                yield session
            actions = session.info.pop(_AFTER, [])
    except (DBAPIError, TimeoutError) as error:
        named = _translated(error)
        if named is None:
            raise
        raise named from error
    for action in actions:
        try:
            action()
        except Exception:  # noqa: BLE001 - see below
            # What follows a commit is an announcement: the database already holds the truth, and the reconciler or
            # the next poll makes up for a lost message. It must not turn a finished change into an error.
            _log.warning("an announcement after a commit failed", exc_info=True)


def _translated(error: Exception) -> AppError | None:
    """The application's name for a database error; None where it is a mistake of ours."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, psycopg.errors.DiskFull):
        return StorageFull(
            "The database has no room left.", remedy="Free disk space; nothing was lost. Then try again."
        )
    if isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
        return Conflict("Two changes met at the same moment.", remedy="Try again.")
    if isinstance(error, TimeoutError):
        return Unavailable("All database connections are busy.", remedy="Try again in a moment.")
    if isinstance(error, OperationalError):
        return Unavailable("The database can't be reached.", remedy="Check that it runs, then try again.")
    return None
