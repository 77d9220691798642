"""Small seeded runs from whose variants people grow."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.growths import service
from app.features.growths.schemas import Outcome, Request
from app.models import Variant
from tests.support import refining

Grow = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def quick(database: str, broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane, frequent looks at what there is to do."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)


@pytest.fixture
def ada() -> Actor:
    return refining.owner_with_seeds(1)


@pytest.fixture
def grow(ada: Actor) -> Grow:
    """Asks in Ada's name: harder, one child, one turn unless told otherwise."""

    def ask(variant: Variant | int, by: Actor = ada, **asked: object) -> Outcome:
        with unit_of_work() as session:
            variant_id = variant if isinstance(variant, int) else variant.id
            return service.grow(session, by, variant_id, Request.model_validate({"direction": "harder"} | asked))

    return ask


def variants(run_id: int, *, asked: bool | None = None) -> list[Variant]:
    """Those of a run in the order of growth; with `asked` only those that were grown on request, or the others."""
    with unit_of_work() as session:
        query = session.query(Variant).where(Variant.run_id == run_id)
        if asked is not None:
            query = query.where(Variant.growth_id.is_not(None) if asked else Variant.growth_id.is_(None))
        return query.order_by(Variant.chain_id, Variant.turn, Variant.branch).all()


def valid(run_id: int) -> Variant:
    """The first valid variant of the first chain."""
    return next(variant for variant in variants(run_id) if variant.invalid_code is None)
