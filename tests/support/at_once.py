"""Two changes at the same moment: their transactions really overlap."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from sqlalchemy import text

from app.db import Session, unit_of_work

A = TypeVar("A")
B = TypeVar("B")


def overlapping(first: Callable[[Session], A], second: Callable[[Session], B]) -> tuple[A, Future[B]]:
    """Runs `second` to the point where it waits for `first`'s open transaction, then lets both end."""
    started = Event()

    def run_second() -> B:
        with unit_of_work() as session:
            session.execute(text("select 1"))
            started.set()
            return second(session)

    with ThreadPoolExecutor(1) as pool:
        with unit_of_work() as session:
            outcome = first(session)
            later = pool.submit(run_second)
            started.wait(10)
            _wait_for_a_lock(later)
        later.exception(10)
    return outcome, later


_WAITING = text("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


def _wait_for_a_lock(later: Future[B]) -> None:
    """Until another session waits for a lock that an open transaction holds, or ended without."""
    while not later.done():
        with unit_of_work() as session:
            if session.execute(_WAITING).first():
                return
