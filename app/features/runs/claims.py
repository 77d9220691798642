"""Who drives what: lane slots and chain leases, by database time, fenced by an epoch that rises with every claim."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, case, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from app.config import settings
from app.db import Session
from app.features.runs.finish import finish_run_if_done, lock_run
from app.models import Chain, Incident, LaneSlot, Run, Seed

# A chain that was under way when its lane died may have killed it. After SUSPECT deaths in a row without any
# committed progress it is driven alone, so that innocents are told apart; after QUARANTINE it is set aside, visibly.
SUSPECT = 3
QUARANTINE = 12


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to drive one chain until the lease ends or another claim raises the epoch."""

    run_id: int
    workspace_id: int
    chain_id: int
    epoch: int
    next_turn: int
    arm: str
    environment: str
    seed_text: str
    seed_kind: str
    seed_digest: str


def _until() -> ColumnElement[datetime]:
    return func.now() + timedelta(seconds=settings().lease_s)


def _deaths() -> ColumnElement[int]:
    """Deaths so far of a chain that nobody drives: one whose owner never gave it back has just died again."""
    return case((Chain.owner.is_not(None), Chain.deaths + 1), else_=Chain.deaths)


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


def claim_chains(session: Session, run_id: int, owner: str, limit: int, *, alone: bool) -> list[Claim]:
    """Up to `limit` chains that nobody drives; a suspect one only for a lane that is `alone` with it."""
    _quarantine(session, run_id)
    orphaned = or_(Chain.owner.is_(None), Chain.lease_expires_at < func.now())
    open_chains = select(Chain.id).where(Chain.run_id == run_id, Chain.state == "open", orphaned)
    ids = _take(session, open_chains.where(_deaths() < SUSPECT).order_by(Chain.position, Chain.arm), owner, limit)
    if not ids and alone:
        ids = _take(session, open_chains.order_by(Chain.position, Chain.arm), owner, 1)
    if not ids:
        return []
    rows = session.execute(
        select(Chain, Seed).join(Seed, Seed.id == Chain.seed_id).where(Chain.id.in_(ids)).order_by(Chain.position)
    )
    return [
        Claim(
            run_id=chain.run_id,
            workspace_id=chain.workspace_id,
            chain_id=chain.id,
            epoch=chain.epoch,
            next_turn=chain.next_turn,
            arm=chain.arm,
            environment=chain.environment,
            seed_text=seed.text,
            seed_kind=seed.kind,
            seed_digest=seed.digest,
        )
        for chain, seed in rows
    ]


def _take(session: Session, candidates: Select[int], owner: str, limit: int) -> list[int]:
    # As a CTE it is run once; a subquery may be run again for each row, and then take more than the limit.
    chosen = candidates.limit(limit).with_for_update(skip_locked=True).cte("chosen")
    return list(
        session.execute(
            update(Chain)
            .where(Chain.id.in_(select(chosen.c.id)))
            .values(owner=owner, lease_expires_at=_until(), epoch=Chain.epoch + 1, deaths=_deaths())
            .returning(Chain.id)
            .execution_options(synchronize_session=False)
        ).scalars()
    )


def _quarantine(session: Session, run_id: int) -> None:
    """Sets aside chains that killed their lane again and again, and says so."""
    deadly = and_(
        Chain.run_id == run_id,
        Chain.state == "open",
        _deaths() >= QUARANTINE,
        Chain.lease_expires_at < func.now(),
    )
    if session.execute(select(Chain.id).where(deadly).limit(1)).scalar() is None:
        return
    run = lock_run(session, run_id)
    dead = session.execute(
        update(Chain)
        .where(deadly)
        .values(state="quarantined", stop_reason="killed_its_worker", owner=None, lease_expires_at=None)
        .returning(Chain.id, Chain.workspace_id)
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


def renew(session: Session, run_id: int, owner: str) -> set[int] | None:
    """Extends the leases of `owner`. The ids of the chains that it still holds, or None where it lost its slot."""
    slot = session.execute(
        update(LaneSlot)
        .where(LaneSlot.run_id == run_id, LaneSlot.owner == owner)
        .values(lease_expires_at=_until())
        .returning(LaneSlot.slot)
    ).scalar()
    if slot is None:
        return None
    return set(
        session.execute(
            update(Chain)
            .where(Chain.run_id == run_id, Chain.owner == owner, Chain.state == "open")
            .values(lease_expires_at=_until())
            .returning(Chain.id)
        ).scalars()
    )


def release(session: Session, run_id: int, owner: str) -> None:
    """Hands every chain of `owner` back at once, with no death counted."""
    session.execute(
        update(Chain).where(Chain.run_id == run_id, Chain.owner == owner).values(owner=None, lease_expires_at=None)
    )


def free_slots(session: Session) -> list[tuple[int, int]]:
    """(run, number of slots without a live lane) of every running run that has chains to drive."""
    claimable = (
        select(Chain.id)
        .where(
            Chain.run_id == LaneSlot.run_id,
            Chain.state == "open",
            or_(Chain.owner.is_(None), Chain.lease_expires_at < func.now()),
        )
        .exists()
    )
    rows = session.execute(
        select(LaneSlot.run_id, func.count())
        .join(Run, Run.id == LaneSlot.run_id)
        .where(
            Run.state == "running",
            claimable,
            or_(LaneSlot.owner.is_(None), LaneSlot.lease_expires_at < func.now()),
        )
        .group_by(LaneSlot.run_id)
        .order_by(LaneSlot.run_id)
    )
    return [(run_id, count) for run_id, count in rows]


def others_wait(session: Session, run_id: int) -> bool:
    """Whether another run has chains to drive and too few lanes for them."""
    return any(other != run_id for other, _ in free_slots(session))


def smaller_waits(session: Session, run_id: int, owner: str) -> bool:
    """Whether this lane should give way: a run with fewer open chains than ours has no lane at all.

    Only one lane of a run does: the one in its highest slot.
    """
    alive = LaneSlot.lease_expires_at > func.now()
    highest = select(LaneSlot.owner).where(LaneSlot.run_id == run_id, alive).order_by(LaneSlot.slot.desc()).limit(1)
    if session.execute(highest).scalar() != owner:
        return False
    served = set(session.execute(select(LaneSlot.run_id).where(alive)).scalars())
    waiting = [other for other, _ in free_slots(session) if other not in served]
    if not waiting:
        return False
    counted = session.execute(
        select(Chain.run_id, func.count().label("number"))
        .where(Chain.run_id.in_([run_id, *waiting]), Chain.state == "open")
        .group_by(Chain.run_id)
    )
    open_chains: dict[int, int] = {row.run_id: row.number for row in counted}
    return min(open_chains.get(other, 0) for other in waiting) < open_chains.get(run_id, 0)
