"""The ledger of one chain, or of one request: every stage of every turn, each written in a transaction of its own.

Each write is fenced: it changes nothing unless the claim's epoch still stands and the turn is the expected one, or the
next one for what ends a turn (LeaseLost otherwise). Each is also idempotent, since a connection can be cut while COMMIT
is on its way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update

from app.db import BEGIN, COMMIT, Session, Statement, Writing, bigints, complete, execute
from app.domain.difficulty import Tally
from app.domain.fingerprint import content_hash, fingerprint
from app.domain.problem import Judgement, Problem, Reply
from app.domain.problem_codec import encode_problem
from app.domain.sketch import Sketch, sketch
from app.domain.text import storable
from app.domain.tree import Place, Step
from app.errors import LeaseLost
from app.events import publish
from app.features.benchmarks import matching
from app.features.runs import similar, statements
from app.features.runs.arms import ASKED
from app.features.runs.claims import Claim
from app.features.runs.finish import finish_run_if_done, lock_run
from app.features.runs.measurements import tally_of, values_of_attempts, values_of_judgements
from app.features.runs.metering import Usage
from app.features.runs.stored import StoredVariant
from app.models import Incident


@dataclass(frozen=True, slots=True)
class Checked:
    """A problem that holds, its text, and by what it is known again."""

    problem: Problem
    encoded: str
    content_hash: str
    fingerprint: str
    sketch: Sketch

    @classmethod
    def of(cls, problem: Problem) -> Checked:
        encoded = encode_problem(problem)
        return cls(problem, encoded, content_hash(encoded), fingerprint(problem), sketch(problem.program))


@dataclass(frozen=True, slots=True)
class Provenance:
    """With what a proposal was made."""

    prompt_hash: str
    environment_version: str
    isolation: str


def _fenced(claim: Claim, *steps: Statement) -> Writing[tuple[Any, ...]]:
    """The row that the last of `steps` returns, all of one transaction. Raises LeaseLost where there is none."""
    rows = yield [*steps]
    if not rows:
        raise LeaseLost(f"{claim.name} is driven by another lane now.".capitalize())
    return rows[0]


def _of_stage(
    statement: statements.ByClaim, claim: Claim, turn: int, usage: Usage, ends_turn: bool = False, /, **values: object
) -> Statement:
    """With what every stage notes, and the fence."""
    noted = {
        **_held(claim, turn, ends_turn=ends_turn),
        "workspace_id": claim.workspace_id,
        "run_id": claim.run_id,
        "chain_id": claim.chain_id,
        "usage_arm": ASKED if claim.asked else claim.arm,
        **usage._asdict(),
        **values,
    }
    return Statement(statement[claim.leased], noted)


def _held(claim: Claim, turn: int, *, ends_turn: bool) -> dict[str, object]:
    return {"leased_id": claim.leased_id, "epoch": claim.epoch, "turn": turn, "next_turn": turn + ends_turn}


def path_of(place: Place, parent: StoredVariant | None) -> str:
    """Sorts a chain in preorder: the places of all ancestors and its own, zero padded.

    A number that outgrows the padding goes behind a tilde, which sorts after all digits.
    """
    branch = f"{place.branch:02d}" if place.branch < 100 else f"~{place.branch:05d}"
    label = f"{place.turn:03d}.{branch}"
    return f"{parent.path}/{label}" if parent else label


def save_proposal(
    claim: Claim,
    place: Place,
    step: Step,
    parent: StoredVariant | None,
    reply: Reply,
    provenance: Provenance,
    usage: Usage,
) -> Writing[int]:
    """Stage 1: the teacher's reply. Returns the variant's id."""
    proposal = _of_stage(
        statements.SAVE_PROPOSAL,
        claim,
        place.turn,
        usage,
        environment=claim.environment,
        branch=place.branch,
        parent_id=parent.id if parent else None,
        growth_id=claim.asked.id if claim.asked else None,
        direction=step.direction.value,
        target_low=step.target.low,
        target_high=step.target.high,
        reply=storable(reply.text),
        reasoning=storable(reply.reasoning),
        finish_reason=storable(reply.finish_reason),
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        prompt_hash=provenance.prompt_hash,
        environment_version=provenance.environment_version,
        isolation=provenance.isolation,
        path=path_of(place, parent),
        depth=parent.depth + 1 if parent else 0,
    )
    (created,) = yield from _fenced(claim, proposal)
    if created is None:
        where = {"chain_id": claim.chain_id, "turn": place.turn, "branch": place.branch}
        ((created,),) = yield Statement(statements.VARIANT_AT, where)
    return int(created)


def save_invalid(
    claim: Claim, place: Place, variant_id: int, code: str, detail: str, usage: Usage, *, ends_turn: bool
) -> Writing[None]:
    """Stage 2, the proposal broke a rule and was no problem so far: the variant is done."""
    invalid = _of_stage(
        statements.SAVE_INVALID,
        claim,
        place.turn,
        usage,
        ends_turn,
        variant_id=variant_id,
        code=code,
        detail=storable(detail),
    )
    yield from _fenced(claim, invalid)


def take_back(
    session: Session,
    claim: Claim,
    place: Place,
    variant_id: int,
    code: str,
    detail: str,
    fingerprint: str,
    usage: Usage,
    *,
    ends_turn: bool,
) -> None:
    """A problem that held breaks a rule after all: the variant is done, and no other one is a copy of it."""
    similar.lock_all(session, claim, fingerprint, variant_id)
    complete(session, save_invalid(claim, place, variant_id, code, detail, usage, ends_turn=ends_turn))
    complete(session, _mark_duplicates(claim, fingerprint))
    similar.remove(session, variant_id)


def save_problem(claim: Claim, place: Place, variant_id: int, checked: Checked, usage: Usage) -> Writing[bool]:
    """Stage 2, the problem holds: its gold outputs, its hashes, and what has it already or nearly.

    False, and nothing is written, where it is to be compared with benchmark sets: `save_compared`.
    """
    bands = similar.bands_of(claim, checked.sketch.signature)
    held = similar.lock(claim, checked.fingerprint, bands), matching.hold(claim.run_id)
    alone = _checked(claim, place, variant_id, checked, bands, usage, anyway=False)
    (saved,) = yield from _fenced(claim, *held, alone)
    if saved:
        return True
    compared = yield [BEGIN, *held, matching.sets_of(claim.run_id)]
    if not compared:
        yield from _save_alike(claim, place, variant_id, checked, bands, usage)
    yield COMMIT
    return not compared


def save_compared(
    session: Session, claim: Claim, place: Place, variant_id: int, checked: Checked, usage: Usage
) -> None:
    """As `save_problem`, and what the problem shares with the run's benchmark sets."""
    bands = similar.bands_of(claim, checked.sketch.signature)
    execute(session, *similar.lock(claim, checked.fingerprint, bands))
    complete(session, _save_alike(claim, place, variant_id, checked, bands, usage))
    sets = matching.sets_of_run(session, claim.run_id)
    matching.mark(session, claim.workspace_id, sets, {variant_id: checked.problem})


def _save_alike(
    claim: Claim, place: Place, variant_id: int, checked: Checked, bands: Sequence[int], usage: Usage
) -> Writing[None]:
    """Also where it may repeat another one, whose bands are locked."""
    yield from _fenced(claim, _checked(claim, place, variant_id, checked, bands, usage, anyway=True))
    yield from _mark_duplicates(claim, checked.fingerprint)
    yield from similar.mark(claim, place, variant_id, checked.sketch.signature, bands)


def _checked(
    claim: Claim,
    place: Place,
    variant_id: int,
    checked: Checked,
    bands: Sequence[int],
    usage: Usage,
    *,
    anyway: bool,
) -> Statement:
    """Returns whether it wrote: `anyway`, or because there is nothing that the problem may repeat."""
    return _of_stage(
        statements.SAVE_CHECKED,
        claim,
        place.turn,
        usage,
        variant_id=variant_id,
        anyway=anyway,
        problem=checked.encoded,
        content_hash=checked.content_hash,
        fingerprint=checked.fingerprint,
        arm=claim.arm,
        environment=claim.environment,
        asked=claim.asked is not None,
        position=claim.position,
        branch=place.branch,
        signature=checked.sketch.signature,
        bands=bigints(bands),
        constructs=json.dumps(checked.sketch.constructs),
    )


def _mark_duplicates(claim: Claim, fingerprint: str) -> Writing[None]:
    """The first valid variant with a fingerprint, by its place in the run, is the original; the others point to it.

    Which lane came first plays no part, so that a run has the same originals however its work was scheduled.
    """
    twins = {"run_id": claim.run_id, "fingerprint": fingerprint, "arm": claim.arm}
    found = yield Statement(statements.TWINS, twins)
    if not found:
        return
    (original, marked), *copies = found
    if marked is not None:
        yield Statement(statements.SET_ORIGINAL, {"ids": bigints([original]), "original": None})
    if copies:
        ids = bigints(twin for twin, _ in copies)
        yield Statement(statements.SET_ORIGINAL, {"ids": ids, "original": original})


def save_attempts(
    claim: Claim,
    place: Place,
    variant_id: int,
    student_profile_id: int,
    prompt_hash: str,
    replies: Sequence[Reply],
    usage: Usage,
) -> Writing[None]:
    """Stage 3: what the student answered, all attempts at once or none."""
    tried = values_of_attempts(variant_id, student_profile_id, prompt_hash, replies)
    yield from _fenced(claim, _of_stage(statements.SAVE_ATTEMPTS, claim, place.turn, usage, **tried))


def save_judgements(
    claim: Claim,
    place: Place,
    variant_id: int,
    student_profile_id: int,
    judgements: Sequence[Judgement],
    minimum: int,
    cut: int,
    isolation: str,
    usage: Usage,
    *,
    ends_turn: bool,
) -> Writing[Tally]:
    """Stage 4: the verdicts and the pass rate; the variant is done."""
    tally = tally_of(judgements)
    judged = values_of_judgements(variant_id, student_profile_id, judgements, tally, minimum, cut, isolation)
    yield from _fenced(claim, _of_stage(statements.SAVE_JUDGEMENTS, claim, place.turn, usage, ends_turn, **judged))
    return tally


def save_turn(claim: Claim, turn: int) -> Writing[None]:
    """All branches of `turn` are done: the chain moves on. The end of an only branch says so by itself."""
    yield from _fenced(claim, Statement(statements.SAVE_TURN[claim.leased], _held(claim, turn, ends_turn=True)))


def save_end_of_one(claim: Claim, state: str, reason: str) -> Writing[bool]:
    """Nothing more grows of this claim. False, and nothing is written, where it may be the run's last: `save_end`."""
    values = {
        "leased_id": claim.leased_id,
        "epoch": claim.epoch,
        "workspace_id": claim.workspace_id,
        "run_id": claim.run_id,
        "chain_id": claim.chain_id,
        "state": state,
        "reason": reason,
    }
    hold, end = statements.HOLD_RUN, statements.SAVE_END_OF_ONE[claim.leased]
    return bool((yield [Statement(hold, values), Statement(end, values)]))


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
        raise LeaseLost(f"{claim.name} is driven by another lane now.".capitalize())
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
