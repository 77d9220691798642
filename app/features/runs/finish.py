"""How a run ends by itself: in one state, whoever comes first."""

from __future__ import annotations

from sqlalchemy import func, select, update

from app.db import Session
from app.events import publish
from app.models import Chain, Run


def finish_run_if_done(session: Session, run_id: int) -> None:
    """Marks a run finished once none of its chains is open. Serialised on the run's row, so that exactly one does."""
    run = session.execute(select(Run).where(Run.id == run_id).with_for_update()).scalar_one()
    if run.state not in ("running", "paused"):
        return
    if session.execute(select(Chain.id).where(Chain.run_id == run_id, Chain.state == "open").limit(1)).scalar():
        return
    session.execute(update(Run).where(Run.id == run_id).values(state="finished", error="", finished_at=func.now()))
    publish(session, run.workspace_id, run_id, "finished")
