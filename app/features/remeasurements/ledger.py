"""What a lane writes down while it measures: each step in a transaction of its own, fenced by the claim's epoch.

As in app.features.runs.stages each write is idempotent, since a connection can be cut while COMMIT is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, delete, func, or_, select, update

from app.config import settings
from app.db import Session
from app.domain.difficulty import Tally
from app.domain.problem import Judgement, Problem, Reply
from app.domain.problem_codec import decode_problem
from app.errors import LeaseLost
from app.features.remeasurements.schemas import RemeasureConfig
from app.features.runs.claims import QUARANTINE
from app.features.runs.measurements import add_attempts, judge_attempts
from app.models import Attempt, Measurement, Remeasurement, RemeasurementItem, Variant


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to drive a request until the lease ends or another claim raises the epoch."""

    id: int
    workspace_id: int
    epoch: int
    student_profile_id: int
    config: RemeasureConfig


@dataclass(frozen=True, slots=True)
class Item:
    """A variant to measure. `replies` is empty before the student has tried it."""

    variant_id: int
    environment: str
    content_hash: str
    problem: Problem
    replies: tuple[Reply, ...]


def _until() -> ColumnElement[datetime]:
    return func.now() + timedelta(seconds=settings().lease_s)


def _free() -> tuple[ColumnElement[bool], ...]:
    orphaned = or_(Remeasurement.owner.is_(None), Remeasurement.lease_expires_at < func.now())
    return Remeasurement.state == "running", orphaned


def claim(session: Session, remeasurement_id: int, owner: str) -> Claim | None:
    """None where there is nothing to drive, or somebody does. One that kills its worker again and again pauses."""
    deaths = case((Remeasurement.owner.is_not(None), Remeasurement.deaths + 1), else_=Remeasurement.deaths)
    row = session.execute(
        update(Remeasurement)
        .where(Remeasurement.id == remeasurement_id, *_free())
        .values(owner=owner, lease_expires_at=_until(), epoch=Remeasurement.epoch + 1, deaths=deaths)
        .returning(Remeasurement)
    ).scalar()
    if row is None:
        return None
    taken = Claim(
        row.id, row.workspace_id, row.epoch, row.student_profile_id, RemeasureConfig.model_validate(row.config)
    )
    if row.deaths >= QUARANTINE:
        pause(session, taken, f"The worker died {QUARANTINE} times in a row while it measured.")
        return None
    _finish_if_done(session, taken)
    return taken


def renew(session: Session, claim: Claim) -> None:
    """Raises LeaseLost where it is another's, or the request was paused or cancelled."""
    _write(session, claim, lease_expires_at=_until())


def release(session: Session, claim: Claim) -> None:
    """Hands the request back at once, with no death counted."""
    session.execute(
        update(Remeasurement)
        .where(Remeasurement.id == claim.id, Remeasurement.epoch == claim.epoch)
        .values(owner=None, lease_expires_at=None)
    )


def pause(session: Session, claim: Claim, error: str) -> None:
    """The request met trouble that stays: a person resumes it when the trouble is gone."""
    session.execute(
        update(Remeasurement)
        .where(*_mine(claim))
        .values(state="paused", error=error, deaths=0, owner=None, lease_expires_at=None)
    )


def open_items(session: Session, claim: Claim) -> list[int]:
    """Ids of the variants that are still to be measured, ascending."""
    return list(
        session.execute(
            select(RemeasurementItem.variant_id)
            .where(RemeasurementItem.remeasurement_id == claim.id, RemeasurementItem.state == "open")
            .order_by(RemeasurementItem.variant_id)
        ).scalars()
    )


def load(session: Session, claim: Claim, variant_id: int) -> Item:
    variant = session.execute(select(Variant).where(Variant.id == variant_id)).scalar_one()
    replies = [
        Reply(row.reply, row.reasoning, row.finish_reason, row.prompt_tokens, row.completion_tokens)
        for row in session.execute(
            select(Attempt)
            .join(Measurement, Measurement.id == Attempt.measurement_id)
            .where(_measured_by(claim, variant_id))
            .order_by(Attempt.number)
        ).scalars()
    ]
    if variant.problem is None:
        raise AssertionError(f"variant {variant_id} was chosen without a problem")
    return Item(
        variant_id,
        variant.environment,
        variant.content_hash or "",
        decode_problem(variant.problem),
        tuple(replies) if len(replies) == claim.config.attempts else (),
    )


def save_attempts(session: Session, claim: Claim, variant_id: int, prompt_hash: str, replies: Sequence[Reply]) -> None:
    """What the student answered, all attempts at once or none."""
    _fence(session, claim)
    # What an earlier request left unjudged when it was cancelled had other settings.
    session.execute(
        delete(Measurement).where(
            _measured_by(claim, variant_id),
            Measurement.judged_at.is_(None),
            select(func.count()).where(Attempt.measurement_id == Measurement.id).scalar_subquery() != len(replies),
        )
    )
    add_attempts(session, claim.workspace_id, variant_id, claim.student_profile_id, prompt_hash, replies)


def save_judgements(
    session: Session, claim: Claim, variant_id: int, judgements: Sequence[Judgement], cut: int, isolation: str
) -> Tally:
    """The verdicts and the pass rate: the variant is measured."""
    _fence(session, claim)
    profile, minimum = claim.student_profile_id, claim.config.minimum
    tally = judge_attempts(session, variant_id, profile, judgements, minimum, cut, isolation)
    _end_item(session, claim, variant_id, "done", "")
    return tally


def set_aside(session: Session, claim: Claim, variant_id: int, reason: str) -> None:
    """The variant can't be measured with this student, or could not be judged; a later request begins anew."""
    _fence(session, claim)
    session.execute(delete(Measurement).where(_measured_by(claim, variant_id), Measurement.judged_at.is_(None)))
    _end_item(session, claim, variant_id, "set_aside", reason)


def _mine(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return Remeasurement.id == claim.id, Remeasurement.epoch == claim.epoch, Remeasurement.state == "running"


def _measured_by(claim: Claim, variant_id: int) -> ColumnElement[bool]:
    return (Measurement.variant_id == variant_id) & (Measurement.student_profile_id == claim.student_profile_id)


def _fence(session: Session, claim: Claim) -> None:
    """Holds the request's row. Progress clears the suspicion that it kills its worker."""
    _write(session, claim, deaths=0)


def _write(session: Session, claim: Claim, **values: object) -> None:
    held = session.execute(update(Remeasurement).where(*_mine(claim)).values(**values).returning(Remeasurement.id))
    if held.scalar() is None:
        raise LeaseLost(f"Remeasurement {claim.id} was paused or cancelled, or is driven by another lane.")


def _end_item(session: Session, claim: Claim, variant_id: int, state: str, reason: str) -> None:
    session.execute(
        update(RemeasurementItem)
        .where(RemeasurementItem.remeasurement_id == claim.id, RemeasurementItem.variant_id == variant_id)
        .values(state=state, reason=reason)
    )
    _finish_if_done(session, claim)


def _finish_if_done(session: Session, claim: Claim) -> None:
    left = select(RemeasurementItem.variant_id).where(
        RemeasurementItem.remeasurement_id == claim.id, RemeasurementItem.state == "open"
    )
    session.execute(
        update(Remeasurement)
        .where(*_mine(claim), ~left.exists())
        .values(state="finished", error="", finished_at=func.now(), owner=None, lease_expires_at=None)
    )
