"""What a selection chooses from: runs, students, and every valid variant in its scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select

from app.db import Session
from app.features.curricula.schemas import Selection
from app.features.curricula.selection import Candidate
from app.features.runs.queries import similar_variant
from app.models import (
    Chain,
    Measurement,
    ModelProfile,
    Run,
    Variant,
)

_VALID = and_(Variant.problem.is_not(None), Variant.invalid_code.is_(None))


@dataclass(frozen=True, slots=True)
class Choice:
    """A run or a student profile that a selection can name."""

    id: int
    title: str
    variants: int = 0


def runs(session: Session, workspace_id: int) -> list[Choice]:
    """Runs with their number of valid variants, newest first."""
    rows = session.execute(
        select(Run.id, Run.name, func.count(Variant.id))
        .outerjoin(Variant, and_(Variant.run_id == Run.id, _VALID))
        .where(Run.workspace_id == workspace_id, Run.archived_at.is_(None))
        .group_by(Run.id)
        .order_by(Run.id.desc())
    )
    return [Choice(run_id, name or f"Run {run_id}", count) for run_id, name, count in rows]


def students(session: Session, workspace_id: int) -> list[ModelProfile]:
    return list(
        session.execute(
            select(ModelProfile)
            .where(ModelProfile.workspace_id == workspace_id, ModelProfile.role == "student")
            .order_by(ModelProfile.id)
        ).scalars()
    )


def run(session: Session, workspace_id: int, run_id: int) -> Run | None:
    return session.execute(select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)).scalar_one_or_none()


def known_runs(session: Session, workspace_id: int, ids: Sequence[int]) -> set[int]:
    return set(session.execute(select(Run.id).where(Run.workspace_id == workspace_id, Run.id.in_(ids))).scalars())


def _scope(workspace_id: int, selection: Selection) -> ColumnElement[bool]:
    conditions = [Variant.workspace_id == workspace_id, Run.archived_at.is_(None)]
    if selection.runs:
        conditions = [Variant.workspace_id == workspace_id, Variant.run_id.in_(selection.runs)]
    if selection.environments:
        conditions.append(Variant.environment.in_(selection.environments))
    if selection.arm != "both":
        conditions.append(Chain.arm == selection.arm)
    return and_(*conditions)


def measured(selection: Selection) -> ColumnElement[bool]:
    student = Run.student_profile_id if selection.student is None else selection.student
    return and_(Measurement.variant_id == Variant.id, Measurement.student_profile_id == student)


def candidates(session: Session, workspace_id: int, selection: Selection) -> list[Candidate]:
    """Every valid variant in scope."""
    rows = session.execute(
        select(
            Variant.id.label("variant_id"),
            Variant.run_id,
            Variant.chain_id,
            Chain.position.label("chain_position"),
            Chain.arm,
            Variant.environment,
            Variant.turn,
            Variant.branch,
            Variant.content_hash,
            Variant.fingerprint,
            Variant.review,
            Measurement.rate,
            func.coalesce(Measurement.passed, 0).label("passed"),
            func.coalesce(Measurement.failed, 0).label("failed"),
            func.coalesce(Measurement.errors, 0).label("errors"),
            similar_variant().label("similar"),
            Variant.contaminated,
        )
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured(selection))
        .where(_scope(workspace_id, selection), _VALID)
    )
    return [Candidate(**row._mapping) for row in rows]


def count_invalid(session: Session, workspace_id: int, selection: Selection) -> int:
    """Proposals in scope that are no problem."""
    return session.execute(
        select(func.count())
        .select_from(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .where(_scope(workspace_id, selection), Variant.invalid_code.is_not(None))
    ).scalar_one()
