"""Small seeded runs for tests, and ways to drive them to their end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.seeds import stdlib_snippets
from app.features.runs import lane, ledger_check, queries, service
from app.features.runs.ledger_check import LedgerReport
from app.features.runs.metering import Usage
from app.features.runs.schemas import parse
from app.features.runs.summary import RunSummary, summarise
from app.features.seeds.service import create_set
from tests.support import builders

_PATIENCE_S = 240.0


def owner_with_seeds(count: int = 2) -> Actor:
    """A workspace with a seed set named `stdlib`."""
    with unit_of_work() as session:
        actor = builders.owner(session)
        create_set(session, actor, "stdlib", stdlib_snippets(count, random.Random(11)), origin="test")
    return actor


def start(actor: Actor, **config: object) -> int:
    """A run that is small unless told otherwise; returns its id."""
    small: dict[str, object] = {
        "seeds": {"set": "stdlib"},
        "environments": ["deduction", "abduction"],
        "turns": 3,
        "attempts": 8,
        "baseline": False,
        "seed": 5,
    }
    with unit_of_work() as session:
        return service.create(session, actor, parse(small | config)).id


def drive(run_id: int, should_stop: Callable[[], bool] = lambda: False) -> bool:
    return lane.drive(run_id, should_stop)


def check(run_id: int) -> LedgerReport:
    with unit_of_work() as session:
        return ledger_check.check(session, queries.run_to_drive(session, run_id))


def took(stage: str) -> Usage:
    """What a stage might have taken, for tests that write one themselves."""
    return Usage(stage, 1, 0, 0, 0, 0.1, None, None, None)


def summary(run_id: int) -> RunSummary:
    with unit_of_work() as session:
        return summarise(session, queries.run_to_drive(session, run_id))


def state(run_id: int) -> str | None:
    with unit_of_work() as session:
        return queries.run_state(session, run_id)


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Polls; the patience only bounds a test that has failed anyway."""
    deadline = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {_PATIENCE_S:.0f} s: {what}")
        time.sleep(0.05)
