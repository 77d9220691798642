"""The ledger check: after any fault, is every (chain, turn, attempt) there exactly once, and do all counts agree?

`digest` is the content of a run without ids and times: with a seeded engine it equals that of a run without faults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, func, select

from app.db import Session
from app.domain.difficulty import Band
from app.domain.fingerprint import content_hash
from app.domain.problem_codec import decode_problem, encode_problem
from app.domain.sketch import repeats
from app.domain.tree import Direction, Node, Place, Step
from app.features.runs.arms import early_stop_of, plan_of
from app.features.runs.early_stop import REASONS as NOWHERE
from app.features.runs.early_stop import went_nowhere
from app.features.runs.goals import met_at
from app.features.runs.metering import STAGES
from app.features.runs.schemas import RunConfig
from app.features.runs.statements import SPENT
from app.features.runs.summary import summarise
from app.models import Attempt, Chain, Growth, LaneSlot, Measurement, Run, Seed, Sketch, StageUsage, Variant

_BATCH = 500
_PLACE = (Sketch.asked, Sketch.position, Sketch.turn, Sketch.branch)

Rows = Sequence[tuple[Variant, Measurement | None]]


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """`problems` is empty where the ledger is clean."""

    run_id: int
    state: str
    chains: int
    variants: int
    attempts: int
    digest: str
    problems: tuple[str, ...]


def check(session: Session, run: Run) -> LedgerReport:
    """Reads the whole run once, in batches.

    Chains behind the one that met the goal are extra: how many were under way by then depends on the lanes.
    """
    problems: list[str] = []
    digest = hashlib.sha256()
    variants = attempts = 0
    config = RunConfig.model_validate(run.config)
    met = met_at(session, run, config)
    places = _originals(session, run)
    chains = session.execute(
        select(Chain, Seed.digest)
        .join(Seed, Seed.id == Chain.seed_id)
        .where(Chain.run_id == run.id)
        .order_by(Chain.arm, Chain.position)
    ).all()
    for batch in _batches(chains):
        grown = _variants(session, run, [chain.id for chain, _ in batch])
        asked = _requests(session, [chain.id for chain, _ in batch])
        judged = _attempts(session, run, [chain.id for chain, _ in batch])
        metered = _usage(session, [chain.id for chain, _ in batch])
        for chain, seed_digest in batch:
            content = [f"{chain.arm}/{chain.position}/{chain.environment}/{seed_digest}".encode()]
            rows = grown.get(chain.id, [])
            by_itself = [(variant, measurement) for variant, measurement in rows if variant.growth_id is None]
            problems += _turns(chain, by_itself, config)
            problems += _spent(chain, by_itself, judged)
            for growth, origin in asked.get(chain.id, []):
                on_request = [(variant, measurement) for variant, measurement in rows if variant.growth_id == growth.id]
                problems += _asked(growth, origin, [variant for variant, _ in on_request])
                problems += _spent(growth, on_request, judged)
                content.append(f"{growth.digest} {growth.first_branch} {growth.instruction}".encode())
            for variant, measurement in rows:
                own = judged.get(measurement.id, []) if measurement else []
                problems += _variant(variant, measurement, own, config)
                problems += _stages(variant, metered.get(variant.id, set()))
                content.append(_content(variant, measurement, own, places.get(variant.near_of or 0, "")))
                variants += 1
                attempts += len(own)
            if chain.position <= met.get(chain.environment, chain.position):
                digest.update(b"".join(content))
    problems += _marks(session, run)
    problems += _leases(session, run)
    problems += _counts(session, run, variants, attempts)
    return LedgerReport(run.id, run.state, len(chains), variants, attempts, digest.hexdigest(), tuple(problems))


def _batches(rows: Sequence[Row[Chain, str]]) -> Iterator[Sequence[Row[Chain, str]]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def _variants(session: Session, run: Run, chains: list[int]) -> dict[int, list[tuple[Variant, Measurement | None]]]:
    found: dict[int, list[tuple[Variant, Measurement | None]]] = {}
    for variant, measurement in session.execute(
        select(Variant, Measurement)
        .outerjoin(
            Measurement,
            (Measurement.variant_id == Variant.id) & (Measurement.student_profile_id == run.student_profile_id),
        )
        .where(Variant.chain_id.in_(chains))
        .order_by(Variant.chain_id, Variant.turn, Variant.branch)
    ):
        found.setdefault(variant.chain_id, []).append((variant, measurement))
    return found


def _requests(session: Session, chains: list[int]) -> dict[int, list[tuple[Growth, Variant]]]:
    found: dict[int, list[tuple[Growth, Variant]]] = {}
    for growth, origin in session.execute(
        select(Growth, Variant)
        .join(Variant, Variant.id == Growth.variant_id)
        .where(Growth.chain_id.in_(chains))
        .order_by(Growth.chain_id, Growth.first_branch)
    ):
        found.setdefault(growth.chain_id, []).append((growth, origin))
    return found


def _attempts(session: Session, run: Run, chains: list[int]) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = {}
    for attempt in session.execute(
        select(Attempt)
        .join(Measurement, Measurement.id == Attempt.measurement_id)
        .join(Variant, Variant.id == Measurement.variant_id)
        .where(Variant.chain_id.in_(chains), Measurement.student_profile_id == run.student_profile_id)
        .order_by(Attempt.measurement_id, Attempt.number)
    ).scalars():
        found.setdefault(attempt.measurement_id, []).append(attempt)
    return found


def _usage(session: Session, chains: list[int]) -> dict[int, set[str]]:
    """Variant -> the stages that say what they took."""
    found: dict[int, set[str]] = {}
    for variant_id, stage in session.execute(
        select(StageUsage.variant_id, StageUsage.stage)
        .join(Variant, Variant.id == StageUsage.variant_id)
        .where(Variant.chain_id.in_(chains))
    ):
        found.setdefault(variant_id, set()).add(stage)
    return found


def _turns(chain: Chain, rows: Rows, config: RunConfig) -> Iterator[str]:
    """The turns before `next_turn` are complete, and an ended chain has nothing half done and ended for a reason."""
    name = f"chain {chain.id}"
    variants = [variant for variant, _ in rows]
    done = {variant.turn for variant in variants if variant.stage == "done"}
    if missing := sorted(set(range(1, chain.next_turn)) - done):
        yield f"{name}: turns {missing} are missing"
    if chain.state == "stopped" and any(variant.stage == "attempted" for variant in variants):
        yield f"{name}: stopped with attempts that nobody judged"
    if chain.state == "finished":
        if half := [f"{v.turn}.{v.branch}" for v in variants if v.stage != "done"]:
            yield f"{name}: finished with {', '.join(half)} half done"
        if chain.stop_reason == "turns_used":
            expected = plan_of(config, chain.arm).turns
            if chain.next_turn != expected + 1:
                yield f"{name}: ended by its turns after {chain.next_turn - 1} of {expected}"
        nowhere = went_nowhere([_node(*row) for row in rows], early_stop_of(config, chain.arm))
        if chain.stop_reason in NOWHERE and chain.stop_reason != nowhere:
            yield f"{name}: ended with {chain.stop_reason}, which its turns do not show"


def _node(variant: Variant, measurement: Measurement | None) -> Node:
    step = Step(Direction(variant.direction), Band(variant.target_low, variant.target_high))
    rate = measurement.rate if measurement else None
    return Node(Place(variant.turn, variant.branch), step, rate, variant.invalid_code)


def _spent(leased: Chain | Growth, rows: Rows, judged: dict[int, list[Attempt]]) -> Iterator[str]:
    """What stands as spent is what the replies cost."""
    tried = [attempt for _, measurement in rows if measurement for attempt in judged.get(measurement.id, [])]
    expected = (
        sum(variant.prompt_tokens for variant, _ in rows),
        sum(variant.completion_tokens for variant, _ in rows),
        sum(attempt.prompt_tokens for attempt in tried),
        sum(attempt.completion_tokens for attempt in tried),
        len(tried),
    )
    stands = tuple(getattr(leased, name) for name in SPENT)
    if stands != expected:
        yield f"{leased.__tablename__} {leased.id}: {stands} stand as spent, by its replies {expected}"


def _asked(growth: Growth, origin: Variant, variants: list[Variant]) -> Iterator[str]:
    """Every child that was asked for is there, in its own branches, and nothing of an ended request is half done."""
    name = f"growth {growth.id}"
    branches = range(growth.first_branch, growth.first_branch + growth.children)
    if strays := [f"{v.turn}.{v.branch}" for v in variants if v.branch not in branches or v.turn <= origin.turn]:
        yield f"{name}: {', '.join(strays)} lie outside of its branches"
    if any(not variant.path.startswith(f"{origin.path}/") for variant in variants):
        yield f"{name}: not all of it grows from {origin.turn}.{origin.branch}"
    done = {(variant.turn, variant.branch) for variant in variants if variant.stage == "done"}
    if growth.next_turn > origin.turn + 1 and not {(origin.turn + 1, branch) for branch in branches} <= done:
        yield f"{name}: children are missing"
    if growth.state == "finished" and len(done) < len(variants):
        yield f"{name}: finished with {len(variants) - len(done)} half done"
    if growth.stop_reason == "turns_used" and growth.next_turn != origin.turn + growth.turns + 1:
        yield f"{name}: ended by its turns after {growth.next_turn - origin.turn - 1} of {growth.turns}"


def _variant(
    variant: Variant, measurement: Measurement | None, attempts: list[Attempt], config: RunConfig
) -> Iterator[str]:
    name = f"variant {variant.id}"
    if variant.problem is not None:
        encoded = encode_problem(decode_problem(variant.problem))
        if content_hash(encoded) != variant.content_hash:
            yield f"{name}: its content hash does not fit its problem"
    if variant.invalid_code is not None and attempts:
        yield f"{name}: invalid, but was attempted"
    if variant.stage != "done" or variant.invalid_code is not None:
        return
    if measurement is None:
        yield f"{name}: valid and done, but never measured"
        return
    if [attempt.number for attempt in attempts] != list(range(1, config.attempts + 1)):
        yield f"{name}: {len(attempts)} of {config.attempts} attempts"
    counted = tuple(sum(a.verdict == verdict for a in attempts) for verdict in ("passed", "failed", "error"))
    if counted != (measurement.passed, measurement.failed, measurement.errors):
        yield f"{name}: verdicts {counted} differ from the measurement's"
    n = measurement.passed + measurement.failed
    rate = measurement.passed / n if n >= config.minimum else None
    if rate != measurement.rate:
        yield f"{name}: pass rate {measurement.rate}, by its verdicts {rate}"


def _stages(variant: Variant, metered: set[str]) -> Iterator[str]:
    """Every stage that was committed says what it took, and no other does."""
    passed = {"proposed": 1, "checked": 2, "attempted": 3, "done": 4}[variant.stage]
    expected = set(STAGES[:passed])
    if variant.invalid_code is not None:
        expected = {"proposing", "checking"} | (metered & {"attempting"})  # too long for the student
    if metered != expected:
        yield f"variant {variant.id}: stages {sorted(metered)} say what they took, {sorted(expected)} were committed"


def _originals(session: Session, run: Run) -> dict[int, str]:
    """The places of those that others are marked with, by id."""
    named = select(Variant.near_of).where(Variant.run_id == run.id, Variant.near_of.is_not(None))
    rows = session.execute(
        select(Variant.id, Chain.arm, Chain.position, Variant.turn, Variant.branch)
        .join(Chain, Chain.id == Variant.chain_id)
        .where(Variant.id.in_(named))
    )
    return {variant_id: "/".join(map(str, place)) for variant_id, *place in rows}


def _marks(session: Session, run: Run) -> Iterator[str]:
    """Every variant is marked with the first one that it is similar to, found here without the index."""
    marked = {
        row.id: row.near_of
        for row in session.execute(select(Variant.id, Variant.near_of).where(Variant.run_id == run.id))
    }
    before: dict[tuple[str, int], list[Sketch]] = {}
    for this in session.execute(select(Sketch).where(Sketch.run_id == run.id).order_by(*_PLACE)).scalars():
        known = {old.variant_id: old for band in this.bands for old in before.get((this.arm, band), ())}
        earlier = sorted(known.values(), key=lambda old: (old.asked, old.position, old.turn, old.branch))
        first = next((old.variant_id for old in earlier if _repeats(this, old)), None)
        if marked[this.variant_id] != first:
            yield f"variant {this.variant_id}: marked as similar to {marked[this.variant_id]}, by its sketch to {first}"
        for band in this.bands:
            before.setdefault((this.arm, band), []).append(this)


def _repeats(one: Sketch, other: Sketch) -> bool:
    return repeats(one.signature, other.signature, same_tree=one.chain_id == other.chain_id) is not None


def _content(variant: Variant, measurement: Measurement | None, attempts: list[Attempt], original: str) -> bytes:
    """What must be the same whenever and wherever the run is repeated."""
    parts = [
        f"{variant.turn}.{variant.branch} {variant.direction} {variant.stage} {variant.path}",
        variant.reply,
        variant.invalid_code or "",
        variant.content_hash or "",
        f"{measurement.passed}/{measurement.failed}/{measurement.errors}" if measurement else "",
        *(f"{attempt.number} {attempt.verdict} {attempt.reply}" for attempt in attempts),
        *([f"similar to {original} {variant.near_similarity}"] if original else []),
    ]
    return "\x1e".join(parts).encode()


def _leases(session: Session, run: Run) -> Iterator[str]:
    for leased, name in ((Chain, "chains"), (Growth, "requests")):
        held = select(func.count()).where(leased.run_id == run.id, leased.owner.is_not(None))
        if run.state == "paused":
            held = held.where(leased.lease_expires_at < func.now())
        count = session.execute(held).scalar_one()
        if count and run.state == "paused":
            yield f"{count} {name} are leased past their expiry"
        elif count and run.state != "running":
            yield f"{count} {name} of an ended run are still leased"
    if run.state not in ("finished", "cancelled"):
        return
    slots = session.execute(
        select(func.count()).where(
            LaneSlot.run_id == run.id, LaneSlot.owner.is_not(None), LaneSlot.lease_expires_at < func.now()
        )
    ).scalar_one()
    if slots:
        yield f"{slots} lane slots of an ended run are held past their lease"


def _counts(session: Session, run: Run, variants: int, attempts: int) -> Iterator[str]:
    """The summary that page, API and terminal show counts the same rows."""
    summary = summarise(session, run)
    arms = [summary.main, *([summary.baseline] if summary.baseline else [])]
    proposals = sum(arm.proposals for arm in arms) + summary.asked.proposals
    if proposals != variants:
        yield f"the summary counts {proposals} proposals, the ledger {variants}"
    judged = sum(arm.attempts + arm.errors for arm in arms) + summary.asked.attempts + summary.asked.errors
    if run.state == "finished" and judged != attempts:
        yield f"the summary counts {judged} attempts, the ledger {attempts}"
