"""A run whose chains have real shapes, and the person who looks at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.db import Session, unit_of_work
from app.domain.actor import Actor
from app.models import Run
from tests.support import builders


@pytest.fixture
def session(database: str) -> Iterator[Session]:
    with unit_of_work() as session:
        yield session


@pytest.fixture
def ada(session: Session) -> Actor:
    return builders.owner(session, "Ada")


@pytest.fixture
def run(session: Session, ada: Actor) -> Run:
    """Four chains of the run's own, each with a baseline chain of two variants: 7, 5, 7 and 5 variants."""
    return builders.grown_run(session, ada, chains=4, attempts=False)
