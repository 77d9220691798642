"""When a run has enough, or has spent enough: what lanes may still start, and the end of what nobody may.

Nothing of this changes what a chain comes to: it only decides which chains are grown, and where a cap cuts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from app.db import Session
from app.events import publish
from app.features.runs import queries
from app.features.runs.finish import finish_run_if_done, lock_run
from app.features.runs.goals import goal_states
from app.features.runs.schemas import RunConfig
from app.features.runs.spending import reached, spending
from app.models import Chain

GOAL_MET = "goal_met"


@dataclass(frozen=True, slots=True)
class Outlook:
    """`cap` is the one that is used up, "" where there is room. `may_start`: environment -> its last chain to start."""

    cap: str = ""
    may_start: Mapping[str, int] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why a chain stops that the cap meets."""
        return f"cap_{self.cap}"


def look(session: Session, run_id: int) -> Outlook:
    """How much is left to do, by what the ledger holds now. Chains that nobody will drive any more are ended."""
    run = queries.run_to_drive(session, run_id)
    config = RunConfig.model_validate(run.config)
    goals = goal_states(session, run, config)
    outlook = Outlook(
        cap=reached(config.caps, spending(session, run)) or "",
        may_start={state.environment: state.may_start for state in goals if state.may_start is not None},
    )
    if outlook.cap:
        free = or_(Chain.owner.is_(None), Chain.lease_expires_at < func.now())
        _stop(session, run_id, free, outlook.reason)
    elif met := [state for state in goals if state.met_at is not None]:
        behind = or_(*(and_(Chain.environment == state.environment, Chain.position > state.met_at) for state in met))
        _stop(session, run_id, and_(Chain.epoch == 0, behind), GOAL_MET)
    return outlook


def _stop(session: Session, run_id: int, which: ColumnElement[bool], reason: str) -> None:
    open_ones = and_(Chain.run_id == run_id, Chain.state == "open", which)
    if not session.execute(select(select(Chain.id).where(open_ones).exists())).scalar():
        return
    run = lock_run(session, run_id)
    if run is None:
        return
    session.execute(
        update(Chain)
        .where(open_ones)
        .values(state="stopped", stop_reason=reason, owner=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )
    publish(session, run.workspace_id, run.id, "chain")
    finish_run_if_done(session, run)
