"""What the export row of a chosen variant tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.db import Session
from app.features.curricula.queries.scope import measured
from app.features.curricula.schemas import Selection
from app.models import (
    Chain,
    Growth,
    Measurement,
    ModelProfile,
    Run,
    Seed,
    Variant,
)

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Facts:
    """A chosen variant with everything that its export row tells; where it grew, how it was made and measured."""

    variant_id: int
    problem: str
    content_hash: str
    environment: str
    environment_version: str
    isolation: str
    prompt_hash: str
    direction: str
    instruction: str | None  # None where the run grew it by itself
    turn: int
    branch: int
    run_id: int
    chain_position: int
    arm: str
    seed_kind: str
    seed_source: str
    seed_licence: str
    seed_digest: str
    passed: int
    failed: int
    errors: int
    cut: int
    rate: float
    low: float
    high: float
    measured_prompt_hash: str
    measured_isolation: str
    student: ModelProfile
    teacher: ModelProfile
    known_run: int | None  # of the earliest similar variant of an older run
    known_turn: int | None
    known_branch: int | None
    known_similarity: float | None


def facts(session: Session, workspace_id: int, ids: Sequence[int], selection: Selection) -> Iterator[Facts]:
    """In the order of `ids`, read a batch of rows at a time."""
    profiles = {
        profile.id: profile
        for profile in session.execute(select(ModelProfile).where(ModelProfile.workspace_id == workspace_id)).scalars()
    }
    known = aliased(Variant)
    columns = (
        Variant.id.label("variant_id"),
        Variant.problem,
        Variant.content_hash,
        Variant.environment,
        Variant.environment_version,
        Variant.isolation,
        Variant.prompt_hash,
        Variant.direction,
        Growth.instruction,
        Variant.turn,
        Variant.branch,
        Variant.run_id,
        Chain.position.label("chain_position"),
        Chain.arm,
        Seed.kind.label("seed_kind"),
        Seed.source.label("seed_source"),
        Seed.licence.label("seed_licence"),
        Seed.digest.label("seed_digest"),
        Measurement.passed,
        Measurement.failed,
        Measurement.errors,
        Measurement.cut,
        Measurement.rate,
        Measurement.low,
        Measurement.high,
        Measurement.prompt_hash.label("measured_prompt_hash"),
        Measurement.isolation.label("measured_isolation"),
        Measurement.student_profile_id.label("student"),
        Run.teacher_profile_id.label("teacher"),
        known.run_id.label("known_run"),
        known.turn.label("known_turn"),
        known.branch.label("known_branch"),
        Variant.known_similarity,
    )
    for start in range(0, len(ids), _AT_ONCE):
        batch = ids[start : start + _AT_ONCE]
        rows = session.execute(
            select(*columns)
            .select_from(Variant)
            .join(Chain, Chain.id == Variant.chain_id)
            .join(Seed, Seed.id == Chain.seed_id)
            .join(Run, Run.id == Variant.run_id)
            .join(Measurement, measured(selection))
            .outerjoin(Growth, Growth.id == Variant.growth_id)
            .outerjoin(known, known.id == Variant.known_of)
            .where(Variant.workspace_id == workspace_id, Variant.id.in_(batch))
        )
        found: dict[int, Facts] = {}
        for row in rows:
            values = dict(row._mapping)
            student, teacher = profiles[values.pop("student")], profiles[values.pop("teacher")]
            found[row.variant_id] = Facts(**values, student=student, teacher=teacher)
        yield from (found[variant_id] for variant_id in batch)
