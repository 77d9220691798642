"""How a run ends by itself: in one state, whoever comes first."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, or_, select, update

from app.db import Session
from app.events import publish
from app.models import Chain, Growth, Run


def lock_run(session: Session, run_id: int) -> Run | None:
    """Holds the run's row until the end of the transaction, against whoever else would change its state.

    Whoever also locks chains locks the run first: in one order, transactions never wait for each other in a circle. The
    lock lets rows that refer to the run (events, incidents) pass; a plain FOR UPDATE would meet their own share locks.
    """
    return session.execute(select(Run).where(Run.id == run_id).with_for_update(key_share=True)).scalar()


def in_order(leased: type[Growth] | type[Chain], *which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Those rows, locked in the order of their ids: who changes several never meets another half way."""
    held = select(leased.id).where(*which).order_by(leased.id).with_for_update(key_share=True).cte("held")
    return leased.id.in_(select(held.c.id))


def finish_run_if_done(session: Session, run: Run | None) -> None:
    """Marks a locked run finished once nothing of it is open.

    One that had been cancelled, and went on for branches that were asked for, is a cancelled one again. When its own
    chains ended stays as it was.
    """
    if run is None or run.state not in ("running", "paused"):
        return
    left = or_(*(_some(leased, run.id, "open") for leased in (Chain, Growth)))
    still_open, cancelled = session.execute(select(left, _some(Chain, run.id, "cancelled"))).one()
    if still_open:
        return
    state = "cancelled" if cancelled else "finished"
    ended_at = func.coalesce(Run.finished_at, func.now())
    session.execute(update(Run).where(Run.id == run.id).values(state=state, error="", finished_at=ended_at))
    publish(session, run.workspace_id, run.id, state)


def _some(leased: type[Chain] | type[Growth], run_id: int, state: str) -> ColumnElement[bool]:
    return select(leased.id).where(leased.run_id == run_id, leased.state == state).exists()
