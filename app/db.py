"""The connection to PostgreSQL. What is written is committed by `unit_of_work`, or by the statements of a `Direct`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.types.numeric import Int8BinaryDumper
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.orm import Session

from app.config import settings
from app.errors import AppError, Conflict, StorageFull, Unavailable

__all__ = ["Direct", "Session", "Writer", "after_commit", "bigints", "engine", "execute", "unit_of_work"]

_log = logging.getLogger(__name__)
_AFTER = "after_commit"
_CONNECT_S = 5
_NAME = "cairn"


@lru_cache
def engine() -> Engine:
    """The pool of this process; made on first use, so that it is never shared across a fork."""
    return create_engine(
        _database_url(),
        pool_size=8,
        max_overflow=8,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_S, "application_name": _NAME},
    )


def _database_url() -> str:
    url = settings().database_url
    if not url:
        raise Unavailable("No database is configured.", remedy="Set DATABASE_URL, or start with `cairn up`.")
    return url


class Direct:
    """A connection of one thread outside of the pool. Each statement is a transaction of its own.

    For the few statements that lanes spend their days with: it takes a fraction of what a unit of work takes. Opened
    when it is first used, and again after it broke.
    """

    def __init__(self) -> None:
        self._opened: psycopg.Connection[tuple[Any, ...]] | None = None

    def execute(self, query: bytes, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """The rows that it returns; it must return some sort of them. Raises what `unit_of_work` raises."""
        with _named_errors():
            return self._connection().execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements as one transaction."""
        with _named_errors(), self._connection().transaction():
            yield

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._opened is None or self._opened.closed:
            # By keywords, as the pool connects: libpq reads some addresses otherwise, and quotes them in its errors.
            _, address = engine().dialect.create_connect_args(engine().url)
            self._opened = psycopg.connect(
                **address, autocommit=True, connect_timeout=_CONNECT_S, application_name=_NAME
            )
            # By default a number's type depends on its size, and each combination is a statement to prepare.
            self._opened.adapters.register_dumper(int, Int8BinaryDumper)
        return self._opened


Writer: TypeAlias = Session | Direct


def execute(writer: Writer, query: bytes, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """The rows of a statement in psycopg's own words, within the unit of work or as a transaction of its own."""
    if isinstance(writer, Direct):
        return writer.execute(query, values)
    rows = writer.connection().exec_driver_sql(query.decode(), dict(values))
    return [tuple(row) for row in rows]


def bigints(numbers: Iterable[int]) -> str:
    """An array as PostgreSQL spells it, for a `%(name)s::bigint[]`: psycopg writes lists in Python, item by item."""
    return f"{{{','.join(map(str, numbers))}}}"


def after_commit(writer: Writer, action: Callable[[], None]) -> None:
    """Runs `action` once the unit of work is durable, never when it is rolled back; at once for a Direct."""
    if isinstance(writer, Direct):
        _announce([action])
    else:
        writer.info.setdefault(_AFTER, []).append(action)


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One transaction: committed at the end of the block, rolled back on any error.

    Raises Unavailable where the database is out of reach, StorageFull where it has no room.
    """
    with _named_errors(), Session(engine(), expire_on_commit=False) as session:
        with session.begin():
            yield session
        actions = session.info.pop(_AFTER, [])
    _announce(actions)


def _announce(actions: Iterable[Callable[[], None]]) -> None:
    for action in actions:
        try:
            action()
        except Exception:  # noqa: BLE001 - see below
            # What follows a commit is an announcement: the database already holds the truth, and the reconciler or
            # the next poll makes up for a lost message. It must not turn a finished change into an error.
            _log.warning("an announcement after a commit failed", exc_info=True)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, TimeoutError, psycopg.Error) as error:
        named = _translated(error)
        if named is None:
            raise
        raise named from error


def _translated(error: Exception) -> AppError | None:
    """The application's name for a database error; None where it is a mistake of ours."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.DiskFull):
        return StorageFull(
            "The database has no room left.", remedy="Free disk space; nothing was lost. Then try again."
        )
    if isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
        return Conflict("Two changes met at the same moment.", remedy="Try again.")
    if isinstance(error, TimeoutError):
        return Unavailable("All database connections are busy.", remedy="Try again in a moment.")
    if isinstance(cause, psycopg.OperationalError):
        return Unavailable("The database can't be reached.", remedy="Check that it runs, then try again.")
    return None
