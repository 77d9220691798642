"""Every select of the review feature, and the one insert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import aliased

from app.db import Session
from app.features.chains.headlines import headline
from app.features.review.schemas import QueueRun
from app.features.review.votes import Vote
from app.features.runs.queries import measured_by_run, usable_variant
from app.models import Decision, Measurement, Run, User, Variant


@dataclass(frozen=True, slots=True)
class Locked:
    """A variant held for the rest of the transaction, with what decides whether it may be approved."""

    id: int
    run_id: int
    chain_id: int
    turn: int
    branch: int
    stage: str
    invalid_code: str | None
    content_hash: str | None
    review: str
    rate: float | None

    @property
    def place(self) -> str:
        return f"{self.turn}.{self.branch}"


def lock(session: Session, workspace_id: int, ids: Sequence[int]) -> dict[int, Locked]:
    """Locks the rows in the order of their ids, so that two people deciding on many never block each other."""
    rows = session.execute(
        select(
            Variant.id,
            Variant.run_id,
            Variant.chain_id,
            Variant.turn,
            Variant.branch,
            Variant.stage,
            Variant.invalid_code,
            Variant.content_hash,
            Variant.review,
            Measurement.rate,
        )
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .where(Variant.id.in_(ids), Variant.workspace_id == workspace_id)
        .order_by(Variant.id)
        .with_for_update(of=Variant)
    )
    return {row.id: Locked(**row._asdict()) for row in rows}


def votes(session: Session, variant_ids: Sequence[int]) -> list[Vote]:
    """All decisions on these variants, oldest first."""
    rows = session.execute(
        select(Decision, User.name)
        .join(User, User.id == Decision.user_id)
        .where(Decision.variant_id.in_(variant_ids))
        .order_by(Decision.id)
    )
    return [_vote(decision, name) for decision, name in rows]


def decision(session: Session, workspace_id: int, decision_id: int) -> Vote | None:
    found = session.execute(
        select(Decision, User.name)
        .join(User, User.id == Decision.user_id)
        .where(Decision.id == decision_id, Decision.workspace_id == workspace_id)
    ).first()
    return _vote(*found) if found else None


def _vote(row: Decision, name: str) -> Vote:
    return Vote(
        row.id,
        row.variant_id,
        row.user_id,
        name,
        row.kind,
        row.undoes,
        row.reason,
        row.comment,
        row.content_hash,
        row.at,
    )


def add(session: Session, row: Decision, review: str) -> int:
    """Appends the decision and sets how its variant stands now."""
    session.add(row)
    session.flush()
    session.execute(update(Variant).where(Variant.id == row.variant_id).values(review=review))
    return row.id


def recent(
    session: Session, workspace_id: int, user_id: int, limit: int, run_id: int | None = None
) -> list[tuple[Vote, int, str, str]]:
    """(vote, run, place, headline) of a person's last decisions that were not taken back, newest first."""
    undo = aliased(Decision)
    statement = (
        select(Decision, User.name, Variant.run_id, Variant.turn, Variant.branch, Variant.problem)
        .join(User, User.id == Decision.user_id)
        .join(Variant, Variant.id == Decision.variant_id)
        .where(
            Decision.workspace_id == workspace_id,
            Decision.user_id == user_id,
            Decision.kind != "undo",
            ~exists().where(undo.undoes == Decision.id),
        )
        .order_by(Decision.id.desc())
        .limit(limit)
    )
    if run_id is not None:
        statement = statement.where(Variant.run_id == run_id)
    return [
        (_vote(row, name), at_run, f"{turn}.{branch}", headline(problem))
        for row, name, at_run, turn, branch, problem in session.execute(statement)
    ]


def queue_runs(session: Session, workspace_id: int, limit: int = 50) -> list[QueueRun]:
    """The newest runs with how many of their usable variants wait for a decision."""
    newest = (
        select(Run.id)
        .where(Run.workspace_id == workspace_id, Run.archived_at.is_(None))
        .order_by(Run.id.desc())
        .limit(limit)
    )
    rows = session.execute(
        select(
            Run.id,
            Run.name,
            Run.state,
            Run.created_at,
            func.count().filter(usable_variant()),
            func.count().filter(usable_variant(), Variant.review == ""),
            func.count().filter(usable_variant(), Variant.review == "approved"),
            func.count().filter(usable_variant(), Variant.review == "rejected"),
        )
        .select_from(Run)
        .outerjoin(Variant, Variant.run_id == Run.id)
        .outerjoin(Measurement, measured_by_run())
        .where(Run.id.in_(newest))
        .group_by(Run.id)
        .order_by(Run.id.desc())
    )
    return [QueueRun(*row) for row in rows]
