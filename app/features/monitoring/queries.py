"""The selects behind /metrics. Those of totals take any number of runs at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from app.db import Session
from app.features.monitoring.schemas import RunGauge, RunTotals
from app.features.runs import usage
from app.features.runs.queries import arm_of_variant, measured_by_run
from app.models import Chain, Growth, Incident, LaneSlot, Measurement, Run, Variant

OPEN = ("running", "paused")
# Runs that have a series of their own: Prometheus keeps each for months.
MOST_OPEN_RUNS = 50


@dataclass(frozen=True, slots=True)
class RunKey:
    """A run, and how often it was asked to grow: one that is over changes by nothing else."""

    run_id: int
    created_at: datetime
    state: str
    requests: int

    @property
    def is_over(self) -> bool:
        return self.state not in OPEN


def run_keys(session: Session) -> list[RunKey]:
    requests = select(func.count()).where(Growth.run_id == Run.id).scalar_subquery()
    return [RunKey(*row) for row in session.execute(select(Run.id, Run.created_at, Run.state, requests))]


def troubled(session: Session) -> int:
    """Runs that paused by themselves, archived ones left out."""
    found = select(func.count()).where(Run.state == "paused", Run.error != "", Run.archived_at.is_(None))
    return session.execute(found).scalar_one()


def open_runs(session: Session) -> list[RunGauge]:
    """The newest runs that are not over."""
    newest = (
        select(Run.id, Run.state).where(Run.state.in_(OPEN)).order_by(Run.id.desc()).limit(MOST_OPEN_RUNS).subquery()
    )
    done = select(func.coalesce(func.sum(Chain.next_turn - 1), 0)).where(Chain.run_id == newest.c.id)
    lanes = select(func.count()).where(LaneSlot.run_id == newest.c.id, LaneSlot.lease_expires_at > func.now())
    rows = session.execute(select(newest.c.id, newest.c.state, done.scalar_subquery(), lanes.scalar_subquery()))
    return [RunGauge(*row) for row in rows]


def live_lanes(session: Session) -> list[tuple[str, int]]:
    """(isolation, number) of the lanes that hold a slot now."""
    rows = session.execute(
        select(LaneSlot.isolation, func.count())
        .where(LaneSlot.lease_expires_at > func.now())
        .group_by(LaneSlot.isolation)
    )
    return [(isolation, count) for isolation, count in rows]


def free_slots(session: Session) -> int:
    """Places for lanes of running runs that no lane holds."""
    free = or_(LaneSlot.lease_expires_at.is_(None), LaneSlot.lease_expires_at <= func.now())
    found = select(func.count()).select_from(LaneSlot).join(Run, Run.id == LaneSlot.run_id)
    return session.execute(found.where(Run.state == "running", free)).scalar_one()


def incidents(session: Session) -> list[tuple[str, str, int]]:
    rows = session.execute(select(Incident.stage, Incident.kind, func.count()).group_by(Incident.stage, Incident.kind))
    return [(stage, kind, count) for stage, kind, count in rows]


def totals(session: Session, ids: Collection[int]) -> dict[int, RunTotals]:
    """Of each of these runs: three queries, however many there are."""
    stages = usage.of_runs(session, ids)
    chains, verdicts = _chains(session, ids), _verdicts(session, ids)
    return {run_id: RunTotals(chains[run_id], stages.get(run_id, ()), verdicts[run_id]) for run_id in ids}


def _chains(session: Session, ids: Collection[int]) -> defaultdict[int, list[tuple[str, str, str, int]]]:
    found: defaultdict[int, list[tuple[str, str, str, int]]] = defaultdict(list)
    columns = (Chain.run_id, Chain.arm, Chain.state, Chain.stop_reason)
    for run_id, arm, state, reason, count in session.execute(
        select(*columns, func.count()).where(Chain.run_id.in_(ids)).group_by(*columns)
    ):
        found[run_id].append((arm, state, reason, count))
    return found


def _verdicts(session: Session, ids: Collection[int]) -> defaultdict[int, list[tuple[str, str, int]]]:
    found: defaultdict[int, list[tuple[str, str, int]]] = defaultdict(list)
    arm = arm_of_variant()
    sums: list[Any] = [func.sum(column) for column in (Measurement.passed, Measurement.failed, Measurement.errors)]
    for run_id, of_arm, *counts in session.execute(
        select(Variant.run_id, arm, *sums)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .join(Measurement, measured_by_run())
        .where(Variant.run_id.in_(ids))
        .group_by(Variant.run_id, arm)
    ):
        found[run_id] += [(of_arm, *pair) for pair in zip(("passed", "failed", "error"), counts, strict=True)]
    return found
