"""The ledger check: after any fault, is every (chain, turn, attempt) there exactly once, and do all counts agree?

`digest` is the content of a run without ids and times: with a seeded engine it equals that of a run without faults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, func, select

from app.db import Session
from app.domain.fingerprint import content_hash
from app.domain.problem_codec import decode_problem
from app.domain.sketch import repeats
from app.features.runs.arms import plan_of
from app.features.runs.schemas import RunConfig
from app.features.runs.summary import summarise
from app.models import Attempt, Chain, Growth, LaneSlot, Measurement, Run, Seed, Sketch, Variant

_BATCH = 500
_PLACE = (Sketch.asked, Sketch.position, Sketch.turn, Sketch.branch)


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
    """Reads the whole run once, in batches."""
    problems: list[str] = []
    digest = hashlib.sha256()
    variants = attempts = 0
    config = RunConfig.model_validate(run.config)
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
        for chain, seed_digest in batch:
            digest.update(f"{chain.arm}/{chain.position}/{chain.environment}/{seed_digest}".encode())
            rows = grown.get(chain.id, [])
            problems += _turns(chain, [variant for variant, _ in rows if variant.growth_id is None], config)
            for growth, origin in asked.get(chain.id, []):
                problems += _asked(growth, origin, [v for v, _ in rows if v.growth_id == growth.id])
                digest.update(f"{growth.digest} {growth.first_branch} {growth.instruction}".encode())
            for variant, measurement in rows:
                own = judged.get(measurement.id, []) if measurement else []
                problems += _variant(variant, measurement, own, config)
                digest.update(_content(variant, measurement, own, places.get(variant.near_of or 0, "")))
                variants += 1
                attempts += len(own)
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


def _turns(chain: Chain, variants: list[Variant], config: RunConfig) -> Iterator[str]:
    """The turns before `next_turn` are complete, and an ended chain has nothing half done."""
    name = f"chain {chain.id}"
    done = {variant.turn for variant in variants if variant.stage == "done"}
    if missing := sorted(set(range(1, chain.next_turn)) - done):
        yield f"{name}: turns {missing} are missing"
    if chain.state == "finished":
        if half := [f"{v.turn}.{v.branch}" for v in variants if v.stage != "done"]:
            yield f"{name}: finished with {', '.join(half)} half done"
        if chain.stop_reason == "turns_used":
            expected = plan_of(config, chain.arm).turns
            if chain.next_turn != expected + 1:
                yield f"{name}: ended by its turns after {chain.next_turn - 1} of {expected}"


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
    if variant.problem is not None and content_hash(decode_problem(variant.problem)) != variant.content_hash:
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
