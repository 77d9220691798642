"""Who waits for a lane: runs that have too few, measuring and embedding that nobody does; and who gives way to them."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from app.db import Session
from app.features.runs.claims import LEASED, undriven
from app.models import Chain, LaneSlot, Remeasurement, Run, RunEmbedding


def runs(session: Session) -> list[tuple[int, int]]:
    """(run, number of slots without a live lane) of every running run that has something to drive."""
    claimable = or_(*(select(leased.id).where(*undriven(leased, LaneSlot.run_id)).exists() for leased in LEASED))
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


def remeasurements(session: Session) -> list[int]:
    """Those that nobody drives. They share the workers with runs."""
    orphaned = or_(Remeasurement.owner.is_(None), Remeasurement.lease_expires_at < func.now())
    waiting = select(Remeasurement.id).where(Remeasurement.state == "running", orphaned).order_by(Remeasurement.id)
    return list(session.execute(waiting).scalars())


def embeddings(session: Session) -> list[int]:
    """Runs whose variants are to be embedded while nobody does it."""
    orphaned = or_(RunEmbedding.owner.is_(None), RunEmbedding.lease_expires_at < func.now())
    waiting = select(RunEmbedding.run_id).where(RunEmbedding.state == "running", orphaned).order_by(RunEmbedding.run_id)
    return list(session.execute(waiting).scalars())


def others(session: Session, run_id: int | None) -> bool:
    """Whether a run other than `run_id` has chains to drive and too few lanes, or measuring or embedding waits."""
    if any(other != run_id for other, _ in runs(session)):
        return True
    return bool(remeasurements(session) or embeddings(session))


def smaller_run(session: Session, run_id: int, owner: str) -> bool:
    """Whether this lane should give way: a run with fewer open chains than ours, or a preview, has no lane at all.

    Only one lane of a run does: the one in its highest slot.
    """
    alive = LaneSlot.lease_expires_at > func.now()
    highest = select(LaneSlot.owner).where(LaneSlot.run_id == run_id, alive).order_by(LaneSlot.slot.desc()).limit(1)
    if session.execute(highest).scalar() != owner:
        return False
    served = set(session.execute(select(LaneSlot.run_id).where(alive)).scalars())
    waiting = [other for other, _ in runs(session) if other not in served]
    if not waiting:
        return False
    looked_at = select(Run.id).where(Run.id.in_([run_id, *waiting]), Run.previews.is_not(None))
    previews = set(session.execute(looked_at).scalars())
    if run_id not in previews and previews:
        return True
    counted = session.execute(
        select(Chain.run_id, func.count().label("number"))
        .where(Chain.run_id.in_([run_id, *waiting]), Chain.state == "open")
        .group_by(Chain.run_id)
    )
    open_chains: dict[int, int] = {row.run_id: row.number for row in counted}
    return min(open_chains.get(other, 0) for other in waiting) < open_chains.get(run_id, 0)
