"""When a run has enough, or has spent enough: what lanes may still start, and the end of what nobody may.

Nothing of this changes what a chain comes to: it only decides which chains are grown, and where a cap cuts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select, update

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
    """How much is left to do, by what the ledger holds now. Chains that nobody has begun, and nobody will, are ended.

    Those that were begun are left to lanes: only these can judge the attempts that are paid for.
    """
    run = queries.run_to_drive(session, run_id)
    config = RunConfig.model_validate(run.config)
    if cap := reached(config.caps, spending(session, run)):
        outlook = Outlook(cap, dict.fromkeys(config.environments, 0))
        _stop(session, run_id, outlook.may_start, outlook.reason)
        return outlook
    goals = goal_states(session, run, config)
    outlook = Outlook(may_start={goal.environment: goal.may_start for goal in goals if goal.may_start is not None})
    met = {goal.environment: goal.met_at for goal in goals if goal.met_at is not None}
    _stop(session, run_id, met, GOAL_MET)
    return outlook


def _stop(session: Session, run_id: int, last: Mapping[str, int], reason: str) -> None:
    """Ends the chains behind the `last` of their environment that nobody has begun."""
    if not last:
        return
    behind = or_(*(and_(Chain.environment == name, Chain.position > position) for name, position in last.items()))
    unbegun = and_(Chain.run_id == run_id, Chain.state == "open", Chain.epoch == 0, behind)
    if not session.execute(select(select(Chain.id).where(unbegun).exists())).scalar():
        return
    run = lock_run(session, run_id)
    if run is None:
        return
    session.execute(
        update(Chain)
        .where(unbegun)
        .values(state="stopped", stop_reason=reason)
        .execution_options(synchronize_session=False)
    )
    publish(session, run.workspace_id, run.id, "chain")
    finish_run_if_done(session, run)
