"""The ledger of one chain, or of one request: every stage of every turn, each written in a transaction of its own.

Each write is fenced: it changes nothing unless the claim's epoch still stands and the turn is the expected one
(LeaseLost otherwise). Each is also idempotent, since a connection can be cut while COMMIT is on its way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, literal, or_, select, update

from app.db import Session
from app.domain.difficulty import Band, Tally
from app.domain.problem import Judgement, Problem, Reply, Verdict
from app.domain.problem_codec import decode_problem, encode_problem
from app.domain.sketch import sketch
from app.domain.tree import Direction, Node, Place, Step
from app.errors import LeaseLost
from app.events import publish
from app.features.benchmarks import matching
from app.features.runs import similar, statements
from app.features.runs.arms import ASKED
from app.features.runs.claims import Claim
from app.features.runs.finish import finish_run_if_done, lock_run
from app.features.runs.measurements import add_attempts, judge_attempts
from app.features.runs.metering import Usage
from app.models import Attempt, Growth, Incident, Measurement, Variant
from app.models.base import PlainText

NOTHING = Tally(0, 0)


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """An attempt as it stands in the ledger; `judgement` is None until it was judged."""

    reply: Reply
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class StoredVariant:
    """A variant as it stands in the ledger, with all that resuming or telling the teacher needs."""

    id: int
    node: Node
    stage: str
    reply: Reply
    path: str
    depth: int
    problem: Problem | None
    fingerprint: str | None
    invalid_detail: str
    tally: Tally
    attempts: tuple[StoredAttempt, ...]
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """With what a proposal was made."""

    prompt_hash: str
    environment_version: str
    isolation: str


def _fence(session: Session, claim: Claim, turn: int) -> None:
    """Locks the claimed row. Progress clears the suspicion that it kills its worker."""
    held = {"id_": claim.leased_id, "epoch_": claim.epoch, "turn_": turn}
    if session.execute(statements.FENCE[claim.leased], held).scalar() is None:
        raise _lost(claim)


def _spend(session: Session, claim: Claim, **amounts: int) -> None:
    """Adds to what the claimed row has spent; with what spent it, or not at all."""
    values = {f"{name}_": amounts.get(name, 0) for name in statements.SPENT}
    session.execute(statements.SPEND[claim.leased], values | {"id_": claim.leased_id})


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"{claim.name} is driven by another lane now.".capitalize())


def load_variants(session: Session, claim: Claim, student_profile_id: int) -> list[StoredVariant]:
    """Every variant that the chain grew by itself, in the order of growth; of a request its own and the way to them."""
    which: ColumnElement[bool] = Variant.growth_id.is_(None)
    if claim.asked is not None:
        way = literal(f"{claim.asked.path}/", PlainText()).startswith(Variant.path + "/")
        which = or_(Variant.growth_id == claim.asked.id, way)
    rows = session.execute(
        select(Variant, Measurement, Growth.instruction)
        .outerjoin(
            Measurement,
            (Measurement.variant_id == Variant.id) & (Measurement.student_profile_id == student_profile_id),
        )
        .outerjoin(Growth, Growth.id == Variant.growth_id)
        .where(Variant.chain_id == claim.chain_id, which)
        .order_by(Variant.turn, Variant.branch)
    ).all()
    attempts: dict[int, list[StoredAttempt]] = defaultdict(list)
    measured = [measurement.id for _, measurement, _ in rows if measurement is not None]
    for row in session.execute(
        select(Attempt).where(Attempt.measurement_id.in_(measured)).order_by(Attempt.measurement_id, Attempt.number)
    ).scalars():
        attempts[row.measurement_id].append(_stored_attempt(row))
    places = {variant.id: Place(variant.turn, variant.branch) for variant, *_ in rows}
    return [
        _stored(variant, measurement, places, tuple(attempts[measurement.id]) if measurement else (), instruction or "")
        for variant, measurement, instruction in rows
    ]


def _stored_attempt(row: Attempt) -> StoredAttempt:
    reply = Reply(row.reply, row.reasoning, row.finish_reason, row.prompt_tokens, row.completion_tokens)
    if row.verdict is None:
        return StoredAttempt(reply, None)
    return StoredAttempt(reply, Judgement(Verdict(row.verdict), row.reason, row.detail, row.answer))


def _stored(
    variant: Variant,
    measurement: Measurement | None,
    places: dict[int, Place],
    attempts: tuple[StoredAttempt, ...],
    instruction: str,
) -> StoredVariant:
    parent = places[variant.parent_id] if variant.parent_id is not None else None
    step = Step(Direction(variant.direction), Band(variant.target_low, variant.target_high), parent)
    return StoredVariant(
        id=variant.id,
        node=Node(
            Place(variant.turn, variant.branch), step, measurement.rate if measurement else None, variant.invalid_code
        ),
        stage=variant.stage,
        reply=Reply(
            variant.reply,
            variant.reasoning,
            variant.finish_reason,
            variant.prompt_tokens,
            variant.completion_tokens,
        ),
        path=variant.path,
        depth=variant.depth,
        problem=decode_problem(variant.problem) if variant.problem else None,
        fingerprint=variant.fingerprint,
        invalid_detail=variant.invalid_detail,
        tally=Tally(measurement.passed, measurement.failed, measurement.errors) if measurement else NOTHING,
        attempts=attempts,
        instruction=instruction,
    )


def path_of(place: Place, parent: StoredVariant | None) -> str:
    """Sorts a chain in preorder: the places of all ancestors and its own, zero padded.

    A number that outgrows the padding goes behind a tilde, which sorts after all digits.
    """
    branch = f"{place.branch:02d}" if place.branch < 100 else f"~{place.branch:05d}"
    label = f"{place.turn:03d}.{branch}"
    return f"{parent.path}/{label}" if parent else label


def save_proposal(
    session: Session,
    claim: Claim,
    place: Place,
    step: Step,
    parent: StoredVariant | None,
    reply: Reply,
    provenance: Provenance,
    usage: Usage,
) -> int:
    """Stage 1: the teacher's reply. Returns the variant's id."""
    _fence(session, claim, place.turn)
    path = path_of(place, parent)
    values = {
        "workspace_id": claim.workspace_id,
        "run_id": claim.run_id,
        "chain_id": claim.chain_id,
        "environment": claim.environment,
        "turn": place.turn,
        "branch": place.branch,
        "parent_id": parent.id if parent else None,
        "growth_id": claim.asked.id if claim.asked else None,
        "direction": step.direction.value,
        "target_low": step.target.low,
        "target_high": step.target.high,
        "stage": "proposed",
        "reply": reply.text,
        "reasoning": reply.reasoning,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "prompt_hash": provenance.prompt_hash,
        "environment_version": provenance.environment_version,
        "isolation": provenance.isolation,
        "path": path,
        "depth": parent.depth + 1 if parent else 0,
    }
    created = session.execute(statements.ADD_VARIANT, values).scalar()
    if created is None:
        where = {"chain_": claim.chain_id, "turn_": place.turn, "branch_": place.branch}
        return int(session.execute(statements.VARIANT_AT, where).scalar_one())
    _spend(session, claim, teacher_prompt_tokens=reply.prompt_tokens, teacher_completion_tokens=reply.completion_tokens)
    if parent is not None:
        session.execute(statements.GROW_ANCESTORS, {"chain_": claim.chain_id, "path_": path})
    _add_usage(session, claim, int(created), usage)
    return int(created)


def save_invalid(
    session: Session,
    claim: Claim,
    place: Place,
    variant_id: int,
    code: str,
    detail: str,
    fingerprint: str | None,
    usage: Usage,
) -> None:
    """Stage 2, the proposal broke a rule: the variant is done. Without a `fingerprint` it was no problem so far."""
    if fingerprint is not None:
        similar.lock_all(session, claim, fingerprint, variant_id)
    _fence(session, claim, place.turn)
    session.execute(statements.SET_INVALID, {"variant_": variant_id, "code_": code, "detail_": detail})
    if fingerprint is not None:
        _mark_duplicates(session, claim, fingerprint)
        similar.remove(session, variant_id)
    _add_usage(session, claim, variant_id, usage)
    publish(session, claim.workspace_id, claim.run_id, "variant", variant_id)


def save_checked(
    session: Session,
    claim: Claim,
    place: Place,
    variant_id: int,
    problem: Problem,
    content_hash: str,
    fingerprint: str,
    usage: Usage,
) -> None:
    """Stage 2, the problem holds: its gold outputs, its hashes, and what has it already or nearly."""
    made = sketch(problem.program)
    similar.lock(session, claim, fingerprint, made.signature)
    _fence(session, claim, place.turn)
    session.execute(
        statements.SET_CHECKED,
        {
            "variant_": variant_id,
            "problem_": encode_problem(problem),
            "content_hash_": content_hash,
            "fingerprint_": fingerprint,
        },
    )
    _mark_duplicates(session, claim, fingerprint)
    _add_usage(session, claim, variant_id, usage)
    similar.add(session, claim, place, variant_id, made)
    matching.mark(session, claim.workspace_id, matching.sets_of_run(session, claim.run_id), {variant_id: problem})


def _mark_duplicates(session: Session, claim: Claim, fingerprint: str) -> None:
    """The first valid variant with a fingerprint, by its place in the run, is the original; the others point to it.

    Which lane came first plays no part, so that a run has the same originals however its work was scheduled.
    """
    twins = {"run_": claim.run_id, "fingerprint_": fingerprint, "arm_": claim.arm}
    found = session.execute(statements.TWINS, twins).all()
    if not found:
        return
    original, *copies = found
    if original.duplicate_of is not None:
        session.execute(update(Variant).where(Variant.id == original.id).values(duplicate_of=None))
    if copies:
        ids = [twin.id for twin in copies]
        session.execute(update(Variant).where(Variant.id.in_(ids)).values(duplicate_of=original.id))


def save_attempts(
    session: Session,
    claim: Claim,
    place: Place,
    variant_id: int,
    student_profile_id: int,
    prompt_hash: str,
    replies: Sequence[Reply],
    usage: Usage,
) -> None:
    """Stage 3: what the student answered, all attempts at once or none."""
    _fence(session, claim, place.turn)
    if not add_attempts(session, claim.workspace_id, variant_id, student_profile_id, prompt_hash, replies):
        return
    session.execute(statements.SET_ATTEMPTED, {"variant_": variant_id})
    _add_usage(session, claim, variant_id, usage)
    _spend(
        session,
        claim,
        student_prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        student_completion_tokens=sum(reply.completion_tokens for reply in replies),
        attempts=len(replies),
    )


def save_judgements(
    session: Session,
    claim: Claim,
    place: Place,
    variant_id: int,
    student_profile_id: int,
    judgements: Sequence[Judgement],
    minimum: int,
    cut: int,
    isolation: str,
    usage: Usage,
) -> Tally:
    """Stage 4: the verdicts and the pass rate; the variant is done."""
    _fence(session, claim, place.turn)
    tally = judge_attempts(session, variant_id, student_profile_id, judgements, minimum, cut, isolation)
    session.execute(statements.SET_DONE, {"variant_": variant_id})
    _add_usage(session, claim, variant_id, usage)
    publish(session, claim.workspace_id, claim.run_id, "variant", variant_id)
    return tally


def _add_usage(session: Session, claim: Claim, variant_id: int, usage: Usage) -> None:
    """What the stage took, once: where the stage was committed before, what it took then stands."""
    values = {
        "variant_id": variant_id,
        "workspace_id": claim.workspace_id,
        "run_id": claim.run_id,
        "arm": ASKED if claim.asked else claim.arm,
    }
    session.execute(statements.ADD_USAGE, values | asdict(usage))


def save_turn(session: Session, claim: Claim, turn: int) -> None:
    """All branches of `turn` are done: the chain moves on."""
    held = {"id_": claim.leased_id, "epoch_": claim.epoch, "turn_": turn}
    if session.execute(statements.MOVE_ON[claim.leased], held).scalar() is None:
        raise _lost(claim)


def save_end(session: Session, claim: Claim, state: str, reason: str) -> None:
    """Nothing more grows of this claim; the run may be done with it."""
    run = lock_run(session, claim.run_id)
    leased = claim.leased
    ended = session.execute(
        update(leased)
        .where(leased.id == claim.leased_id, leased.epoch == claim.epoch, leased.state.in_(("open", state)))
        .values(state=state, stop_reason=reason, owner=None, lease_expires_at=None)
        .returning(leased.id)
    ).scalar()
    if ended is None:
        raise _lost(claim)
    publish(session, claim.workspace_id, claim.run_id, "chain", claim.chain_id)
    finish_run_if_done(session, run)


def save_incident(
    session: Session, workspace_id: int, run_id: int, chain_id: int | None, stage: str, kind: str, message: str
) -> None:
    session.add(
        Incident(
            workspace_id=workspace_id,
            run_id=run_id,
            chain_id=chain_id,
            stage=stage,
            kind=kind,
            message=message[:2000],
        )
    )
    publish(session, workspace_id, run_id, "incident")
