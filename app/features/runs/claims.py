"""Who drives what: lane slots and chain leases, by database time, fenced by an epoch that rises with every claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import and_, case, func, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

from app.config import settings
from app.db import Session, Statement, Writing
from app.domain.difficulty import Band
from app.domain.tree import Direction, Place
from app.features.runs import statements
from app.features.runs.finish import finish_run_if_done, in_order, lock_run
from app.models import Chain, Growth, Incident, LaneSlot, Run, Seed, Variant

# A chain that was under way when its lane died may have killed it. After SUSPECT deaths in a row without any
# committed progress it is driven alone, so that innocents are told apart; after QUARANTINE it is set aside, visibly.
SUSPECT = 3
QUARANTINE = 12


# What lanes drive, in the order in which they claim it: somebody waits for branches that were asked for.
LEASED: tuple[type[Growth] | type[Chain], ...] = (Growth, Chain)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to grow branches, as its course needs it. `path` is that of the variant at `origin`."""

    id: int
    origin: Place
    path: str
    direction: Direction
    target: Band
    instruction: str
    children: int
    turns: int
    first_branch: int
    digest: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to drive one chain until the lease ends or another claim raises the epoch.

    With `asked` it is for the branches of that request, and the chain itself may be driven by somebody else.
    """

    run_id: int
    workspace_id: int
    chain_id: int
    epoch: int
    next_turn: int
    arm: str
    position: int
    environment: str
    seed_text: str
    seed_kind: str
    seed_digest: str
    asked: Asked | None = None

    @property
    def leased(self) -> type[Growth] | type[Chain]:
        return Growth if self.asked else Chain

    @property
    def leased_id(self) -> int:
        return self.asked.id if self.asked else self.chain_id

    @property
    def name(self) -> str:
        return f"{self.leased.__tablename__} {self.leased_id}"

    @property
    def driven_before(self) -> bool:
        """Whether variants of it, or on the way to it, may stand in the ledger."""
        return self.epoch > 1 or self.asked is not None


def _until() -> ColumnElement[datetime]:
    return func.now() + timedelta(seconds=settings().lease_s)


def _deaths(leased: type[Growth] | type[Chain]) -> ColumnElement[int]:
    """Deaths so far of a chain that nobody drives: one whose owner never gave it back has just died again."""
    return case((leased.owner.is_not(None), leased.deaths + 1), else_=leased.deaths)


def take_slot(session: Session, run_id: int, owner: str, isolation: str) -> int | None:
    """A free slot of a running run, or None: the run is over or has all its lanes."""
    free = (
        select(LaneSlot.slot)
        .join(Run, Run.id == LaneSlot.run_id)
        .where(
            LaneSlot.run_id == run_id,
            Run.state == "running",
            or_(LaneSlot.owner.is_(None), LaneSlot.lease_expires_at < func.now()),
        )
        .order_by(LaneSlot.slot)
        .limit(1)
        .with_for_update(of=LaneSlot, skip_locked=True)
        .scalar_subquery()
    )
    return session.execute(
        update(LaneSlot)
        .where(LaneSlot.run_id == run_id, LaneSlot.slot == free)
        .values(owner=owner, lease_expires_at=_until(), isolation=isolation)
        .returning(LaneSlot.slot)
    ).scalar()


def leave_slot(session: Session, run_id: int, owner: str) -> None:
    session.execute(
        update(LaneSlot)
        .where(LaneSlot.run_id == run_id, LaneSlot.owner == owner)
        .values(owner=None, lease_expires_at=None)
    )


_LOOK = b"""
select state,
    exists (
        select from chain
        where run_id = run.id and state = 'open' and (owner is null or lease_expires_at < now())
    ) or exists (
        select from growth
        where run_id = run.id and state = 'open' and (owner is null or lease_expires_at < now())
    )
from run where id = %(run_id)s"""


def look(run_id: int) -> Writing[tuple[str, bool]]:
    """The run's state, and whether there is anything that nobody drives. Lanes ask several times a second."""
    rows = yield Statement(_LOOK, {"run_id": run_id})
    return (rows[0][0], rows[0][1]) if rows else ("deleted", False)


def claim_chains(
    session: Session,
    run_id: int,
    owner: str,
    limit: int,
    *,
    alone: bool,
    may_start: Mapping[str, int] = MappingProxyType({}),
) -> list[Claim]:
    """Up to `limit` chains or requests that nobody drives; a suspect one only for a lane that is `alone` with it.

    `may_start` bounds the chains of an environment by their place in the run; one that was begun may always go on.
    """
    _quarantine(session, run_id)
    taken: list[Claim] = []
    for leased in LEASED:
        if room := limit - len(taken):
            taken += _take(session, leased, run_id, owner, room, _deaths(leased) < SUSPECT, *_wanted(leased, may_start))
    for leased in LEASED:
        if alone and not taken:
            taken = _take(session, leased, run_id, owner, 1, *_wanted(leased, may_start))
    return taken


def fair_share(session: Session, run_id: int, *, joining: bool) -> int:
    """How many chains and requests each lane has where all lanes of a run have as many; one at least.

    While lanes are `joining` those count that the run may have, later those that live.
    """

    def count(*which: ColumnElement[bool]) -> int:
        return session.execute(select(func.count()).where(*which)).scalar_one()

    left = sum(count(leased.run_id == run_id, leased.state == "open") for leased in LEASED)
    lanes = count(LaneSlot.run_id == run_id, or_(literal(joining), LaneSlot.lease_expires_at > func.now()))
    return max(1, math.ceil(left / max(1, lanes)))


def _wanted(leased: type[Growth] | type[Chain], may_start: Mapping[str, int]) -> list[ColumnElement[bool]]:
    if leased is Growth:
        return []
    return [
        or_(Chain.environment != environment, Chain.position <= last, Chain.epoch > 0)
        for environment, last in may_start.items()
    ]


def _take(
    session: Session,
    leased: type[Growth] | type[Chain],
    run_id: int,
    owner: str,
    limit: int,
    *which: ColumnElement[bool],
) -> list[Claim]:
    free = undriven(leased, run_id)
    order = (Growth.id,) if leased is Growth else (Chain.position, Chain.arm)
    candidates = select(leased.id).where(*free, *which).order_by(*order)
    # As a CTE it is run once; a subquery may be run again for each row, and then take more than the limit.
    chosen = candidates.limit(limit).with_for_update(skip_locked=True).cte("chosen")
    ids = list(
        session.execute(
            update(leased)
            .where(leased.id.in_(select(chosen.c.id)))
            .values(owner=owner, lease_expires_at=_until(), epoch=leased.epoch + 1, deaths=_deaths(leased))
            .returning(leased.id)
            .execution_options(synchronize_session=False)
        ).scalars()
    )
    if not ids:
        return []
    return _asked(session, ids) if leased is Growth else _chains(session, ids)


def undriven(
    leased: type[Growth] | type[Chain], run_id: int | InstrumentedAttribute[int]
) -> tuple[ColumnElement[bool], ...]:
    """What is open of a run and driven by nobody."""
    orphaned = or_(leased.owner.is_(None), leased.lease_expires_at < func.now())
    return leased.run_id == run_id, leased.state == "open", orphaned


def _chains(session: Session, ids: list[int]) -> list[Claim]:
    rows = session.execute(
        select(Chain, Seed).join(Seed, Seed.id == Chain.seed_id).where(Chain.id.in_(ids)).order_by(Chain.position)
    )
    return [_claim(chain, chain, seed) for chain, seed in rows]


def _asked(session: Session, ids: list[int]) -> list[Claim]:
    rows = session.execute(
        select(Growth, Chain, Seed, Variant.turn, Variant.branch, Variant.path)
        .join(Chain, Chain.id == Growth.chain_id)
        .join(Seed, Seed.id == Chain.seed_id)
        .join(Variant, Variant.id == Growth.variant_id)
        .where(Growth.id.in_(ids))
        .order_by(Growth.id)
    )
    return [
        _claim(
            growth,
            chain,
            seed,
            Asked(
                id=growth.id,
                origin=Place(turn, branch),
                path=path,
                direction=Direction(growth.direction),
                target=Band(growth.target_low, growth.target_high),
                instruction=growth.instruction,
                children=growth.children,
                turns=growth.turns,
                first_branch=growth.first_branch,
                digest=growth.digest,
            ),
        )
        for growth, chain, seed, turn, branch, path in rows
    ]


def _claim(leased: Growth | Chain, chain: Chain, seed: Seed, asked: Asked | None = None) -> Claim:
    return Claim(
        run_id=chain.run_id,
        workspace_id=chain.workspace_id,
        chain_id=chain.id,
        epoch=leased.epoch,
        next_turn=leased.next_turn,
        arm=chain.arm,
        position=chain.position,
        environment=chain.environment,
        seed_text=seed.text,
        seed_kind=seed.kind,
        seed_digest=seed.digest,
        asked=asked,
    )


def _quarantine(session: Session, run_id: int) -> None:
    """Sets aside what killed its lane again and again, and says so."""
    deadly = {
        leased: and_(
            leased.run_id == run_id,
            leased.state == "open",
            _deaths(leased) >= QUARANTINE,
            leased.lease_expires_at < func.now(),
        )
        for leased in LEASED
    }
    found = or_(*(select(leased.id).where(which).exists() for leased, which in deadly.items()))
    if not session.execute(select(found)).scalar():
        return
    run = lock_run(session, run_id)
    for leased, which in deadly.items():
        home = Growth.chain_id if leased is Growth else Chain.id
        dead = session.execute(
            update(leased)
            .where(in_order(leased, which))
            .values(state="quarantined", stop_reason="killed_its_worker", owner=None, lease_expires_at=None)
            .returning(home, leased.workspace_id)
        ).all()
        for chain_id, workspace_id in dead:
            session.add(
                Incident(
                    workspace_id=workspace_id,
                    run_id=run_id,
                    chain_id=chain_id,
                    stage="lane",
                    kind="quarantined",
                    message=f"The worker died {QUARANTINE} times in a row while driving this chain.",
                )
            )
    session.flush()
    finish_run_if_done(session, run)


def renew(run_id: int, owner: str) -> Writing[set[str] | None]:
    """Extends the leases of `owner`. The names of the claims that it still holds, or None where it lost its slot."""
    mine = {"run_id": run_id, "owner": owner, "lease_s": settings().lease_s}
    if not (yield Statement(statements.RENEW_SLOT, mine)):
        return None
    names = set()
    for leased in LEASED:
        rows = yield Statement(statements.RENEW[leased], mine)
        names |= {f"{leased.__tablename__} {number}" for (number,) in rows}
    return names


def release(session: Session, run_id: int, owner: str) -> None:
    """Hands everything that `owner` drives back at once, with no death counted."""
    for leased in LEASED:
        session.execute(
            update(leased)
            .where(in_order(leased, leased.run_id == run_id, leased.owner == owner))
            .values(owner=None, lease_expires_at=None)
        )
