"""One variant with all that belongs to it: seed, models, measurements, attempts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import case, func, select

from app.db import Session
from app.domain.problem import Judgement, Verdict
from app.features.chains.schemas import Profile, SeedView
from app.models import Attempt, Chain, Measurement, ModelProfile, Run, Seed, SeedSet, Variant


def variant(session: Session, workspace_id: int, variant_id: int) -> Variant | None:
    found = select(Variant).where(Variant.id == variant_id, Variant.workspace_id == workspace_id)
    return session.execute(found).scalar()


def seed_and_teacher(session: Session, chain_id: int) -> tuple[SeedView, Profile]:
    seed, set_name, teacher = session.execute(
        select(Seed, SeedSet.name, ModelProfile)
        .select_from(Chain)
        .join(Seed, Seed.id == Chain.seed_id)
        .join(SeedSet, SeedSet.id == Seed.seed_set_id)
        .join(Run, Run.id == Chain.run_id)
        .join(ModelProfile, ModelProfile.id == Run.teacher_profile_id)
        .where(Chain.id == chain_id)
    ).one()
    view = SeedView(seed.id, seed.kind, seed.text, seed.language, seed.licence, seed.source, seed.digest, set_name)
    return view, profile(teacher)


def profile(row: ModelProfile) -> Profile:
    return Profile(row.id, row.engine, row.model, row.spec)


def measurements(session: Session, variant_id: int) -> list[tuple[Measurement, Profile, bool]]:
    """Every measurement of a variant; the run's own student first."""
    by_run = Measurement.student_profile_id == Run.student_profile_id
    rows = session.execute(
        select(Measurement, ModelProfile, by_run)
        .join(ModelProfile, ModelProfile.id == Measurement.student_profile_id)
        .join(Variant, Variant.id == Measurement.variant_id)
        .join(Run, Run.id == Variant.run_id)
        .where(Measurement.variant_id == variant_id)
        .order_by(by_run.desc(), Measurement.id)
    )
    return [(measurement, profile(student), own) for measurement, student, own in rows]


def judgements(session: Session, measurement_ids: Sequence[int]) -> list[tuple[int, str, Judgement]]:
    """(measurement, reply, judgement) of every judged attempt; of the reply its end, where it holds no answer."""
    reply = case((Attempt.answer == "", func.right(Attempt.reply, 1_600)), else_="")
    rows = session.execute(
        select(Attempt.measurement_id, reply, Attempt.verdict, Attempt.reason, Attempt.detail, Attempt.answer)
        .where(Attempt.measurement_id.in_(measurement_ids), Attempt.verdict.is_not(None))
        .order_by(Attempt.measurement_id, Attempt.number)
    )
    return [(at, reply, Judgement(Verdict(verdict), *told)) for at, reply, verdict, *told in rows]


def attempts(session: Session, measurement_id: int, verdict: str | None, offset: int, limit: int) -> list[Attempt]:
    statement = select(Attempt).where(Attempt.measurement_id == measurement_id)
    if verdict:
        statement = statement.where(Attempt.verdict == verdict)
    return list(session.execute(statement.order_by(Attempt.number).offset(offset).limit(limit)).scalars())


def attempt_counts(session: Session, measurement_id: int) -> dict[str, int]:
    """How many attempts there are with each verdict; "" counts those that wait for theirs."""
    rows = session.execute(
        select(func.coalesce(Attempt.verdict, ""), func.count())
        .where(Attempt.measurement_id == measurement_id)
        .group_by(Attempt.verdict)
    )
    return {verdict: int(count) for verdict, count in rows}
