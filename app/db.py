"""The connection to PostgreSQL. What is written is committed by `unit_of_work`, or over a connection of app.direct."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import psycopg
from sqlalchemy import ClauseElement, Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.orm import Session

from app.config import settings
from app.errors import AppError, Conflict, StorageFull, Unavailable

__all__ = [
    "BEGIN",
    "COMMIT",
    "Rows",
    "Session",
    "Statement",
    "Writing",
    "address",
    "after_commit",
    "bigints",
    "complete",
    "engine",
    "execute",
    "named",
    "named_errors",
    "spelled",
    "unit_of_work",
]

T = TypeVar("T")
_DIALECT = dialect()  # type: ignore[no-untyped-call]

_log = logging.getLogger(__name__)
_AFTER = "after_commit"
_CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    "application_name": "cairn",
    # A network that falls silent is noticed within half a minute, not after a quarter of an hour, or two hours where
    # an answer is waited for. So is a server that takes nothing of what was sent for as long.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


CONNECTIONS = 16
"""What this process has at most."""


@lru_cache
def engine() -> Engine:
    """The pool of this process; made on first use, so that it is never shared across a fork."""
    return create_engine(
        _database_url(),
        pool_size=CONNECTIONS // 2,
        max_overflow=CONNECTIONS // 2,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args=_CONNECTING,
    )


def address() -> dict[str, Any]:
    """Where the database is, in psycopg's keywords."""
    _, found = engine().dialect.create_connect_args(engine().url)
    return {**found, **_CONNECTING}


def _database_url() -> str:
    url = settings().database_url
    if not url:
        raise Unavailable("No database is configured.", remedy="Set DATABASE_URL, or start with `cairn up`.")
    return url


Rows: TypeAlias = list[tuple[Any, ...]]


class Statement(NamedTuple):
    """In psycopg's own words: `%(name)s` for a value, `%%` for a percent sign, and nothing else with one."""

    query: bytes
    values: Mapping[str, object]


BEGIN, COMMIT = Statement(b"begin", {}), Statement(b"commit", {})

# One statement after the other, with the rows of each for an answer, or several at once, with the rows of the last:
# whoever says what to write does not need to know whether it is part of a unit of work, or goes over a connection that
# an event loop drives.
Writing: TypeAlias = Generator[Statement | list[Statement], Rows, T]


def complete(session: Session, writing: Writing[T]) -> T:
    """Writes it within the unit of work. Raises what `writing` raises."""
    try:
        step = next(writing)
        while True:
            rows: Rows = []
            for statement in [step] if isinstance(step, Statement) else step:
                rows = execute(session, *statement)
            step = writing.send(rows)
    except StopIteration as done:
        return cast("T", done.value)


def execute(session: Session, query: bytes, values: Mapping[str, object]) -> Rows:
    """The rows of a statement in psycopg's own words, within the unit of work."""
    result = session.connection().exec_driver_sql(query.decode(), dict(values))
    return [tuple(row) for row in result] if result.returns_rows else []


def spelled(statement: ClauseElement) -> bytes:
    """In psycopg's own words, for `execute`; it is built once and run often."""
    return str(statement.compile(dialect=_DIALECT)).encode()


def bigints(numbers: Iterable[int]) -> str:
    """An array as PostgreSQL spells it, for a `%(name)s::bigint[]`: psycopg writes lists in Python, item by item."""
    return f"{{{','.join(map(str, numbers))}}}"


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Runs `action` once the unit of work is durable, never when it is rolled back."""
    session.info.setdefault(_AFTER, []).append(action)


@contextmanager
def unit_of_work(*, of_one_moment: bool = False) -> Iterator[Session]:
    """One transaction: committed at the end of the block, rolled back on any error.

    `of_one_moment`: all that it reads stood there when it began, whatever is committed meanwhile.

    Raises Unavailable where the database is out of reach, StorageFull where it has no room.
    """
    pool = engine().execution_options(isolation_level="REPEATABLE READ") if of_one_moment else engine()
    with named_errors(), Session(pool, expire_on_commit=False) as session:
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
def named_errors() -> Iterator[None]:
    """What can go wrong with a database, as `unit_of_work` says it."""
    try:
        yield
    except (DBAPIError, TimeoutError, psycopg.Error) as error:
        told = named(error)
        if told is error:
            raise
        try:
            raise told
        finally:
            del told  # else it and this frame, with those that it came through, would hold each other


def named(error: Exception) -> Exception:
    """As `named_errors` would raise it."""
    told = _translated(error)
    if told is None:
        return error
    told.__cause__ = error
    return told


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
