"""Comparing all variants of a run again: work that a leased row drives, a batch in a transaction.

A worker that dies leaves a lease behind, which runs out; whoever takes the row then goes on behind the last batch. What
a batch writes is what it would write again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.config import settings
from app.db import Session
from app.domain.problem_codec import decode_problem
from app.events import publish
from app.features.benchmarks import matching, queries
from app.models import Run, RunCheck, Variant

_AT_ONCE = 50
_valid = and_(Variant.problem.is_not(None), Variant.invalid_code.is_(None))


def _until() -> ColumnElement[datetime]:
    return func.now() + timedelta(seconds=settings().lease_s)


def hold_run(session: Session, workspace_id: int, run_id: int) -> bool:
    """Whether there is such a run. FOR UPDATE: see `matching.sets_of_run`.

    Its check is held first, as `take_batch` does: who holds both in one order never waits in a circle.
    """
    own = RunCheck.run_id == run_id, RunCheck.workspace_id == workspace_id
    session.execute(select(RunCheck.run_id).where(*own).with_for_update())
    held = select(Run.id).where(Run.id == run_id, Run.workspace_id == workspace_id).with_for_update()
    return session.execute(held).scalar() is not None


def start(session: Session, workspace_id: int, run_id: int) -> bool:
    """Begins a check of a run that is held, at its first variant; False where one with the same sets is under way."""
    added = queries.compare_with_all(session, workspace_id, run_id)
    known = session.execute(select(RunCheck.state).where(RunCheck.run_id == run_id)).scalar()
    if known == "running" and not added:
        return False
    total = session.execute(select(func.count()).where(Variant.run_id == run_id, _valid)).scalar_one()
    begun = {"state": "running", "done": 0, "total": total, "cursor": 0, "started_at": func.now(), "finished_at": None}
    session.execute(
        insert(RunCheck)
        .values(run_id=run_id, workspace_id=workspace_id, **begun)
        .on_conflict_do_update(index_elements=["run_id"], set_=begun | {"owner": None, "lease_expires_at": None})
    )
    return True


def claim(session: Session, run_id: int) -> str | None:
    """The name of the new owner, None where there is nothing to do or somebody does it."""
    owner = uuid4().hex
    taken = session.execute(
        update(RunCheck)
        .where(RunCheck.run_id == run_id, *_free())
        .values(owner=owner, lease_expires_at=_until())
        .returning(RunCheck.run_id)
        .execution_options(synchronize_session=False)
    ).scalar()
    return owner if taken is not None else None


def _free() -> tuple[ColumnElement[bool], ...]:
    return RunCheck.state == "running", or_(RunCheck.owner.is_(None), RunCheck.lease_expires_at < func.now())


def waiting(session: Session) -> list[int]:
    """Runs whose check nobody drives."""
    return list(session.execute(select(RunCheck.run_id).where(*_free()).order_by(RunCheck.run_id)).scalars())


def leave(session: Session, run_id: int, owner: str) -> None:
    session.execute(
        update(RunCheck)
        .where(RunCheck.run_id == run_id, RunCheck.owner == owner)
        .values(owner=None, lease_expires_at=None)
    )


def take_batch(session: Session, run_id: int, owner: str) -> bool:
    """Compares the next variants; False where none is left, or the check is another's by now."""
    check = session.execute(
        select(RunCheck)
        .where(RunCheck.run_id == run_id, RunCheck.owner == owner, RunCheck.state == "running")
        .with_for_update()
    ).scalar()
    if check is None:
        return False
    rows = session.execute(
        select(Variant.id, Variant.problem)
        .where(Variant.run_id == run_id, Variant.id > check.cursor, _valid)
        .order_by(Variant.id)
        .limit(_AT_ONCE)
    ).all()
    problems = {variant_id: decode_problem(problem) for variant_id, problem in rows if problem is not None}
    matching.mark(session, check.workspace_id, queries.sets_of_run(session, run_id), problems)
    check.done += len(rows)
    check.total = max(check.total, check.done)
    check.lease_expires_at = _until()
    if rows:
        check.cursor = rows[-1].id
    else:
        check.state, check.owner, check.lease_expires_at = "done", None, None
        check.finished_at = func.now()
    publish(session, check.workspace_id, run_id, "checked")
    return bool(rows)
