"""The sketches of a run."""

from __future__ import annotations

from sqlalchemy import func, select

from app.db import Session
from app.models import Run, Sketch, Variant


def run_exists(session: Session, workspace_id: int, run_id: int) -> bool:
    found = select(Run.id).where(Run.id == run_id, Run.workspace_id == workspace_id)
    return session.execute(found).scalar() is not None


def sketches(session: Session, run_id: int) -> list[tuple[str, str, bytes, list[str]]]:
    """(arm, environment, signature, constructs) of all that the run grew by itself, in its order."""
    rows = session.execute(
        select(Sketch.arm, Sketch.environment, Sketch.signature, Sketch.constructs)
        .where(Sketch.run_id == run_id, Sketch.asked.is_(False))
        .order_by(Sketch.position, Sketch.turn, Sketch.branch)
    )
    return [(arm, environment, signature, constructs) for arm, environment, signature, constructs in rows]


def unsketched(session: Session, run_id: int) -> int:
    """Valid variants of the run that have no sketch: they were grown by an older version of Cairn."""
    return session.execute(
        select(func.count())
        .select_from(Variant)
        .outerjoin(Sketch, Sketch.variant_id == Variant.id)
        .where(
            Variant.run_id == run_id,
            Variant.problem.is_not(None),
            Variant.invalid_code.is_(None),
            Variant.growth_id.is_(None),
            Sketch.variant_id.is_(None),
        )
    ).scalar_one()
