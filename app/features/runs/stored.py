"""What stands in the ledger of one chain, or of one request, as a lane that takes it over reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, literal, or_, select

from app.db import Session
from app.domain.difficulty import Band, Tally
from app.domain.problem import Judgement, Problem, Reply, Verdict
from app.domain.problem_codec import decode_problem
from app.domain.summary import representatives
from app.domain.tree import Direction, Example, Node, Place, Step
from app.features.runs.claims import Claim
from app.models import Attempt, Growth, Measurement, Variant
from app.models.base import PlainText

NOTHING = Tally(0, 0)


class StoredVariant(NamedTuple):
    """A variant as it stands in the ledger, with what resuming and telling the teacher need: no judged attempt."""

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
    attempts: tuple[Reply, ...]  # that are to be judged
    examples: tuple[Example, ...]  # of the judged ones
    instruction: str = ""


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
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    measured = [measurement.id for _, measurement, _ in rows if measurement is not None]
    for row in session.execute(
        select(Attempt).where(Attempt.measurement_id.in_(measured)).order_by(Attempt.measurement_id, Attempt.number)
    ).scalars():
        attempts[row.measurement_id].append(row)
    places = {variant.id: Place(variant.turn, variant.branch) for variant, *_ in rows}
    return [
        _stored(variant, measurement, places, attempts[measurement.id] if measurement else [], instruction or "")
        for variant, measurement, instruction in rows
    ]


def _stored(
    variant: Variant,
    measurement: Measurement | None,
    places: dict[int, Place],
    attempts: Sequence[Attempt],
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
        attempts=tuple(map(_reply, attempts)) if variant.stage == "attempted" else (),
        examples=representatives(
            [
                (row.reply, Judgement(Verdict(row.verdict), row.reason, row.detail, row.answer))
                for row in attempts
                if row.verdict is not None
            ]
        ),
        instruction=instruction,
    )


def _reply(row: Attempt) -> Reply:
    return Reply(row.reply, row.reasoning, row.finish_reason, row.prompt_tokens, row.completion_tokens)
