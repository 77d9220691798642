"""A run of real problems, and ways to have its variants measured again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.remeasurements import lane, queries, service
from app.features.remeasurements.schemas import RemeasurementRow, VariantChoice, parse
from app.models import Measurement, RemeasurementItem, Variant
from tests.support import builders

Ask = Callable[..., RemeasurementRow]
STUDENT = {"engine": "procedural", "options": {"budget": 2.0}}


@pytest.fixture(autouse=True)
def quick(database: str, broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "control_s", 0.05)


@pytest.fixture
def ada() -> Actor:
    with unit_of_work() as session:
        return builders.owner(session)


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=2).id


@pytest.fixture
def ask(ada: Actor, run: int) -> Ask:
    """Asks in Ada's name for all usable variants of the run, four attempts each, unless told otherwise."""

    def create(selection: dict[str, object] | None = None, by: Actor = ada, **config: object) -> RemeasurementRow:
        with unit_of_work() as session:
            chosen = VariantChoice.model_validate(selection or {"run": run})
            return service.create(session, by, chosen, parse({"student": STUDENT, "attempts": 4} | config))

    return create


def drive(row: RemeasurementRow) -> RemeasurementRow:
    while lane.drive(row.id, lambda: False):
        pass
    return look(row)


def look(row: RemeasurementRow) -> RemeasurementRow:
    with unit_of_work() as session:
        workspace_id = session.get_one(Variant, variants_of(row)[0]).workspace_id
        found = queries.one(session, workspace_id, row.id)
    assert found is not None
    return found


def variants_of(row: RemeasurementRow) -> list[int]:
    with unit_of_work() as session:
        items = session.query(RemeasurementItem).where(RemeasurementItem.remeasurement_id == row.id)
        return sorted(item.variant_id for item in items)


def measured(row: RemeasurementRow) -> dict[int, tuple[int, int, int, float | None]]:
    """variant -> passed, failed, errors and rate by the student of the request."""
    with unit_of_work() as session:
        rows = session.query(Measurement).where(
            Measurement.student_profile_id == row.student.id, Measurement.judged_at.is_not(None)
        )
        return {each.variant_id: (each.passed, each.failed, each.errors, each.rate) for each in rows}
