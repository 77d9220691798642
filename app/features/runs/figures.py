"""The selects behind a run's figures: each counts all rows of a run at once, and returns a few."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, case, cast, func, literal, select

from app.db import Session
from app.domain.difficulty import BROAD
from app.features.runs.queries import (
    arm_of_variant,
    broad_bin,
    measured_by_run,
    similar_variant,
    unique_variant,
    unstarted,
    usable_variant,
)
from app.models import Chain, Growth, Incident, LaneSlot, Measurement, Run, Seed, Variant


@dataclass(frozen=True, slots=True)
class Cell:
    """Variants that share the facts of the first lines, and what they have in all."""

    arm: str
    environment: str
    turn: int
    stage: str
    isolation: str
    invalid_code: str | None
    duplicate: bool
    similar: bool
    contaminated: bool
    bin: str
    rated: bool
    usable: bool
    approved: bool
    count: int
    passed: int
    failed: int
    errors: int
    cut: int
    teacher_tokens: int

    @property
    def unique(self) -> bool:
        return not (self.duplicate or self.similar)


def cells(session: Session, run_id: int) -> list[Cell]:
    """All variants of a run, counted by what the summary needs: one query, a few hundred rows at most."""
    duplicate = Variant.duplicate_of.is_not(None)
    usable = func.coalesce(usable_variant(run_id), False)
    keys: tuple[Any, ...] = (
        arm_of_variant(),
        Variant.environment,
        Variant.turn,
        Variant.stage,
        Variant.isolation,
        Variant.invalid_code,
        duplicate,
        similar_variant(),
        Variant.contaminated,
        broad_bin(),
        Measurement.rate.is_not(None),
        usable,
        Variant.review == "approved",
    )
    verdicts = (Measurement.passed, Measurement.failed, Measurement.errors, Measurement.cut)
    tokens = func.sum(cast(Variant.prompt_tokens, BigInteger) + Variant.completion_tokens)
    sums = [func.coalesce(figure, 0) for figure in (*map(func.sum, verdicts), cast(tokens, BigInteger))]
    columns = [*keys, func.count(), *sums]
    rows = session.execute(
        select(*columns)
        .select_from(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .where(Variant.run_id == run_id)
        .group_by(*keys)
    )
    return [Cell(*row) for row in rows]


def rate_counts(session: Session, run_id: int, arm: str) -> list[tuple[float, int]]:
    """(pass rate, number of valid unique variants), ascending."""
    rows = session.execute(
        select(Measurement.rate, func.count())
        .select_from(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .join(Measurement, measured_by_run())
        .where(
            Variant.run_id == run_id,
            arm_of_variant() == arm,
            Measurement.rate.is_not(None),
            unique_variant(),
        )
        .group_by(Measurement.rate)
        .order_by(Measurement.rate)
    )
    return [(rate, count) for rate, count in rows if rate is not None]


@dataclass(frozen=True, slots=True)
class ChainCount:
    """Chains of one arm, environment and state: `held` of them are driven now, and `turns` are done by all together.

    The state of those that no room was left for is `unstarted` here.
    """

    arm: str
    environment: str
    state: str
    count: int
    held: int
    turns: int


def chain_counts(session: Session, run_id: int) -> list[ChainCount]:
    state = case((unstarted(), literal("unstarted")), else_=Chain.state)
    rows = session.execute(
        select(
            Chain.arm, Chain.environment, state, func.count(), func.count(Chain.owner), func.sum(Chain.next_turn - 1)
        )
        .where(Chain.run_id == run_id)
        .group_by(Chain.arm, Chain.environment, state)
        .order_by(Chain.arm, Chain.environment)
    )
    return [ChainCount(*row) for row in rows]


def request_counts(session: Session, run_id: int) -> dict[str, int]:
    """State -> number of requests to grow from variants of the run."""
    rows = session.execute(
        select(Growth.state, func.count().label("number")).where(Growth.run_id == run_id).group_by(Growth.state)
    )
    return {row.state: row.number for row in rows}


@dataclass(frozen=True, slots=True)
class StopGroup:
    """Chains of an arm that ended for the same reason. `count` leaves out those that were never begun, `turns` is what
    they did in all, and `chain_id` is the newest of them.
    """

    arm: str
    reason: str
    count: int
    turns: int
    chain_id: int


def stop_groups(session: Session, run_id: int) -> list[StopGroup]:
    """Why chains ended: the run's own before the baseline's, the most frequent reason first."""
    begun = func.count().filter(~unstarted())
    rows = session.execute(
        select(Chain.arm, Chain.stop_reason, begun, func.sum(Chain.next_turn - 1), func.max(Chain.id))
        .where(Chain.run_id == run_id, Chain.state != "open")
        .group_by(Chain.arm, Chain.stop_reason)
        .order_by(Chain.arm.desc(), func.count().desc(), Chain.stop_reason)
    )
    return [StopGroup(*row) for row in rows]


def chain_coverage(session: Session, run_id: int) -> list[tuple[str, frozenset[str], int]]:
    """(arm, broad bins that a chain's usable variants fill, number of such chains), of chains with a usable variant."""
    bits = {bin_.name: 1 << at for at, bin_ in enumerate(BROAD)}
    filled = (
        select(Chain.arm, func.bit_or(case(bits, value=broad_bin(), else_=0)).label("bins"))
        .select_from(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .join(Measurement, measured_by_run())
        .where(Variant.run_id == run_id, Variant.growth_id.is_(None), usable_variant())
        .group_by(Chain.id, Chain.arm)
        .subquery()
    )
    rows = session.execute(select(filled.c.arm, filled.c.bins, func.count()).group_by(filled.c.arm, filled.c.bins))
    return [(arm, frozenset(name for name, bit in bits.items() if bins & bit), count) for arm, bins, count in rows]


def live_lanes(session: Session, run_id: int) -> tuple[int, int]:
    """The run's own, and those of all other runs."""
    own = LaneSlot.run_id == run_id
    counted = select(func.count().filter(own), func.count().filter(~own)).where(LaneSlot.lease_expires_at >= func.now())
    mine, others = session.execute(counted).one()
    return mine, others


@dataclass(frozen=True, slots=True)
class IncidentGroup:
    """Infrastructure errors of one kind, met by `chains` chains; the newest is the example, met by chain `chain_id`."""

    stage: str
    kind: str
    count: int
    chains: int
    example: str
    chain_id: int | None  # None where a lane met it beside all chains
    last_at: datetime


def incident_groups(session: Session, run_id: int) -> list[IncidentGroup]:
    """Infrastructure errors grouped by stage and kind, the most frequent first."""
    newest = (
        select(
            Incident.stage,
            Incident.kind,
            func.count().label("count"),
            func.count(Incident.chain_id.distinct()).label("chains"),
            func.max(Incident.id).label("id"),
        )
        .where(Incident.run_id == run_id)
        .group_by(Incident.stage, Incident.kind)
        .subquery()
    )
    rows = session.execute(
        select(
            newest.c.stage,
            newest.c.kind,
            newest.c.count,
            newest.c.chains,
            Incident.message,
            Incident.chain_id,
            Incident.at,
        )
        .join(Incident, Incident.id == newest.c.id)
        .order_by(newest.c.count.desc(), newest.c.stage, newest.c.kind)
    )
    return [IncidentGroup(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class InvalidGroup:
    """`count` proposals that failed the same check; the newest is the example."""

    arm: str
    code: str
    count: int
    variant_id: int
    example: str


def invalid_groups(session: Session, run_id: int) -> list[InvalidGroup]:
    """Failed checks by arm, the most frequent first."""
    arm = arm_of_variant()
    newest = (
        select(arm.label("arm"), Variant.invalid_code, func.count().label("count"), func.max(Variant.id).label("id"))
        .join(Chain, Chain.id == Variant.chain_id)
        .where(Variant.run_id == run_id, Variant.invalid_code.is_not(None))
        .group_by(arm, Variant.invalid_code)
        .subquery()
    )
    rows = session.execute(
        select(newest.c.arm, newest.c.invalid_code, newest.c.count, Variant.id, Variant.invalid_detail)
        .join(Variant, Variant.id == newest.c.id)
        .order_by(newest.c.arm.desc(), newest.c.count.desc(), newest.c.invalid_code)
    )
    return [InvalidGroup(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One variant of a chain, as far as it has come."""

    turn: int
    branch: int
    stage: str
    invalid_code: str | None
    rate: float | None


@dataclass(frozen=True, slots=True)
class NewestChain:
    """A chain that moved lately; `outcomes`, all that it grew by itself, in the order of growth."""

    chain: Chain
    seed: Seed
    outcomes: list[Outcome]


def newest_chains(session: Session, run_id: int, limit: int = 8) -> list[NewestChain]:
    """The chains that moved last, the newest first, with what they have grown: two queries."""
    last = (
        select(Variant.chain_id, func.max(Variant.id).label("last"))
        .where(Variant.run_id == run_id)
        .group_by(Variant.chain_id)
        .order_by(func.max(Variant.id).desc())
        .limit(limit)
        .subquery()
    )
    found = session.execute(
        select(Chain, Seed)
        .join(last, last.c.chain_id == Chain.id)
        .join(Seed, Seed.id == Chain.seed_id)
        .order_by(last.c.last.desc())
    ).all()
    outcomes: dict[int, list[Outcome]] = {chain.id: [] for chain, _ in found}
    for chain_id, turn, branch, stage, invalid_code, rate in session.execute(
        select(Variant.chain_id, Variant.turn, Variant.branch, Variant.stage, Variant.invalid_code, Measurement.rate)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .where(Variant.chain_id.in_(outcomes), Variant.growth_id.is_(None))
        .order_by(Variant.turn, Variant.branch)
    ):
        outcomes[chain_id].append(Outcome(turn, branch, stage, invalid_code, rate))
    return [NewestChain(chain, seed, outcomes[chain.id]) for chain, seed in found]


@dataclass(frozen=True, slots=True)
class Pace:
    """What the last `seconds` brought: teacher calls answered and verdicts given."""

    seconds: float
    calls: int
    verdicts: int


def pace(session: Session, run: Run, window: timedelta = timedelta(minutes=2)) -> Pace:
    """How fast the run is now: over `window`, or since its start where that is less."""
    now = func.now()
    since = func.greatest(now - window, run.created_at)
    calls = select(func.count()).where(Variant.run_id == run.id, Variant.created_at > since).scalar_subquery()
    verdicts = (
        select(func.coalesce(func.sum(Measurement.passed + Measurement.failed), 0))
        .join(Variant, Variant.id == Measurement.variant_id)
        .where(
            Variant.run_id == run.id,
            Measurement.student_profile_id == run.student_profile_id,
            Measurement.judged_at > since,
        )
        .scalar_subquery()
    )
    seconds = func.extract("epoch", now - since)
    length, made, judged = session.execute(select(seconds, calls, verdicts)).one()
    return Pace(float(length), made, judged)
