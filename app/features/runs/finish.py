"""How a run ends by itself: in one state, whoever comes first."""

from __future__ import annotations

from sqlalchemy import func, select, update

from app.db import Session
from app.events import publish
from app.models import Chain, Run


def lock_run(session: Session, run_id: int) -> Run | None:
    """Holds the run's row until the end of the transaction, against whoever else would change its state.

    Whoever also locks chains locks the run first: in one order, transactions never wait for each other in a circle. The
    lock lets rows that refer to the run (events, incidents) pass; a plain FOR UPDATE would meet their own share locks.
    """
    return session.execute(select(Run).where(Run.id == run_id).with_for_update(key_share=True)).scalar()


def finish_run_if_done(session: Session, run: Run | None) -> None:
    """Marks a locked run finished once none of its chains is open."""
    if run is None or run.state not in ("running", "paused"):
        return
    if session.execute(select(Chain.id).where(Chain.run_id == run.id, Chain.state == "open").limit(1)).scalar():
        return
    session.execute(update(Run).where(Run.id == run.id).values(state="finished", error="", finished_at=func.now()))
    publish(session, run.workspace_id, run.id, "finished")
