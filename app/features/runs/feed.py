"""What happened to a run since a page last looked: the rows behind its stream of events."""

from __future__ import annotations

from sqlalchemy import func, select

from app.db import Session
from app.models import Event, Run

LIMIT = 1_000


def owns_run(session: Session, workspace_id: int, run_id: int) -> bool:
    found = session.execute(select(Run.id).where(Run.id == run_id, Run.workspace_id == workspace_id))
    return found.first() is not None


def newest_event(session: Session, workspace_id: int, run_id: int) -> int:
    """The id of the run's last event; 0 before the first one."""
    newest = select(func.max(Event.id)).where(Event.run_id == run_id, Event.workspace_id == workspace_id)
    return session.execute(newest).scalar() or 0


def events_after(session: Session, workspace_id: int, run_id: int, floor: int) -> list[tuple[int, str]]:
    """(id, kind) of the run's events above `floor`, oldest first, at most LIMIT of them."""
    rows = session.execute(
        select(Event.id, Event.kind)
        .where(Event.run_id == run_id, Event.workspace_id == workspace_id, Event.id > floor)
        .order_by(Event.id)
        .limit(LIMIT)
    )
    return [(row.id, row.kind) for row in rows]
