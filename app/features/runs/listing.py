"""The selects behind the list of runs: a page of them, and what each has yielded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.db import Session
from app.domain.difficulty import Tally
from app.features.runs.queries import arm_of_variant, measured_by_run, unstarted, usable_variant
from app.models import Chain, Measurement, Run, User, Variant

PAGE = 25


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line of the list. The tallies hold usable variants against all other teacher calls."""

    run: Run
    owner: str
    chains: int
    ended: int
    main: Tally
    baseline: Tally


def runs(
    session: Session,
    workspace_id: int,
    *,
    state: str | None = None,
    archived: bool = False,
    text: str = "",
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> list[tuple[Run, str]]:
    """Runs and who started them, newest first: those older than `before`, or the next newer than `after`."""
    where = [Run.workspace_id == workspace_id, Run.archived_at.is_not(None) if archived else Run.archived_at.is_(None)]
    if state:
        where.append(Run.state == state)
    if text:
        where.append(Run.name.icontains(text, autoescape=True))
    if before:
        where.append(Run.id < before)
    if after:
        where.append(Run.id > after)
    found = session.execute(
        select(Run, func.coalesce(User.name, ""))
        .outerjoin(User, User.id == Run.created_by)
        .where(*where)
        .order_by(Run.id if after else Run.id.desc())
        .limit(limit)
    ).all()
    return [(run, owner) for run, owner in (reversed(found) if after else found)]


def rows(session: Session, found: Sequence[tuple[Run, str]]) -> list[RunRow]:
    """The runs with their figures: two queries however many there are."""
    ids = [run.id for run, _ in found]
    chains = {
        run_id: (total, ended)
        for run_id, total, ended in session.execute(
            select(Chain.run_id, func.count(), func.count().filter(Chain.state != "open"))
            .where(Chain.run_id.in_(ids), ~unstarted())
            .group_by(Chain.run_id)
        )
    }
    arm_of = arm_of_variant()  # once: two of them would be two expressions, of which only one is grouped by
    yields = {
        (run_id, arm): Tally(usable, calls - usable)
        for run_id, arm, calls, usable in session.execute(
            select(Chain.run_id, arm_of, func.count(), func.count().filter(usable_variant()))
            .select_from(Variant)
            .join(Chain, Chain.id == Variant.chain_id)
            .join(Run, Run.id == Variant.run_id)
            .outerjoin(Measurement, measured_by_run())
            .where(Variant.run_id.in_(ids))
            .group_by(Chain.run_id, arm_of)
        )
    }
    nothing = Tally(0, 0)
    return [
        RunRow(
            run,
            owner,
            *chains.get(run.id, (0, 0)),
            main=yields.get((run.id, "main"), nothing),
            baseline=yields.get((run.id, "baseline"), nothing),
        )
        for run, owner in found
    ]


def in_trouble(session: Session, workspace_id: int, limit: int = 5) -> list[Run]:
    """The newest runs that paused by themselves, archived ones left out."""
    return list(
        session.execute(
            select(Run)
            .where(
                Run.workspace_id == workspace_id,
                Run.archived_at.is_(None),
                Run.state == "paused",
                Run.error != "",
            )
            .order_by(Run.id.desc())
            .limit(limit)
        ).scalars()
    )
