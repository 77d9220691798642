"""How far a run is from its goal in each environment, and which chain met it.

Chains count in the order of the run. A goal is met by the first chain with which all chains up to it are over and hold
enough; whichever lane drove which chain when, it is the same one. Those behind it that were already under way go on
to their end and are extra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from app.db import Session
from app.features.runs.queries import broad_bin, measured_by_run, usable_variant
from app.features.runs.schemas import Goal, RunConfig
from app.models import Chain, Measurement, Run, Variant


@dataclass(frozen=True, slots=True)
class GoalState:
    """One environment. `usable` counts what there is so far by bin, of all chains; positions are those of chains."""

    environment: str
    wanted: int
    usable: dict[str, int]
    chains: int  # that were started, in the run's own arm
    last_started: int
    met_at: int | None  # the chain that met it
    chains_to_meet: int | None  # how many it took, that one included

    @property
    def enough_so_far(self) -> bool:
        """Whether it looks met: it is, once what is under way has ended and took nothing away."""
        return all(count >= self.wanted for count in self.usable.values())

    @property
    def may_start(self) -> int | None:
        """The last chain that may still be started; None: any."""
        if self.met_at is not None:
            return self.met_at
        return self.last_started if self.enough_so_far else None

    @property
    def share(self) -> float:
        """Of the bin that has the least, 0 to 1."""
        return min(1.0, *(count / self.wanted for count in self.usable.values()))


@dataclass(frozen=True, slots=True)
class _Begun:
    """A chain that was started; `usable` by bin of the goal."""

    position: int
    over: bool
    usable: Sequence[int]


def goal_states(session: Session, run: Run, config: RunConfig) -> list[GoalState]:
    """One for each environment; none for a run without a goal. One query over what has been grown so far."""
    if config.until is None:
        return []
    rows = session.execute(
        select(
            Chain.environment,
            Chain.position,
            Chain.state != "open",
            *(func.count().filter(usable_variant(run.id), broad_bin() == name) for name in config.until.bins),
        )
        .join(Run, Run.id == Chain.run_id)
        .outerjoin(Variant, and_(Variant.chain_id == Chain.id, Variant.growth_id.is_(None)))
        .outerjoin(Measurement, measured_by_run())
        .where(Chain.run_id == run.id, Chain.arm == "main", _started())
        .group_by(Chain.id)
        .order_by(Chain.position)
    )
    begun: dict[str, list[_Begun]] = {name: [] for name in config.environments}
    for environment, position, over, *usable in rows:
        begun[environment].append(_Begun(position, over, usable))
    return [
        _state(name, config.until, chains, first, len(begun)) for first, (name, chains) in enumerate(begun.items(), 1)
    ]


def met_at(session: Session, run: Run, config: RunConfig) -> dict[str, int]:
    """Environment -> the chain that met its goal, where one did."""
    return {state.environment: state.met_at for state in goal_states(session, run, config) if state.met_at is not None}


def _started() -> ColumnElement[bool]:
    return or_(Chain.epoch > 0, Chain.state.not_in(("open", "stopped")))


def _state(environment: str, goal: Goal, begun: Sequence[_Begun], first: int, stride: int) -> GoalState:
    """Chains of an environment stand at every `stride`-th place from `first` on: see queries.insert_chains."""
    met: tuple[int, int] | None = None
    held = [0] * len(goal.bins)
    for number, chain in enumerate(begun, 1):
        held = [sum(pair) for pair in zip(held, chain.usable, strict=True)]
        if not chain.over or chain.position != first + (number - 1) * stride:
            break
        if min(held) >= goal.usable:
            met = chain.position, number
            break
    total = (sum(chain.usable[at] for chain in begun) for at in range(len(goal.bins)))
    return GoalState(
        environment=environment,
        wanted=goal.usable,
        usable=dict(zip(goal.bins, total, strict=True)),
        chains=len(begun),
        last_started=begun[-1].position if begun else 0,
        met_at=met[0] if met else None,
        chains_to_meet=met[1] if met else None,
    )
