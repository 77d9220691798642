"""Every select of the curricula feature, scoped by workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, insert, select

from app.db import Session
from app.features.curricula.schemas import Selection
from app.features.curricula.selection import Candidate
from app.models import (
    Chain,
    Curriculum,
    CurriculumItem,
    CurriculumVersion,
    Export,
    Measurement,
    ModelProfile,
    Run,
    Seed,
    User,
    Variant,
)

_AT_ONCE = 1_000
_VALID = and_(Variant.problem.is_not(None), Variant.invalid_code.is_(None))


# --- Curricula and versions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as lists show it. `items` is 0 for a draft."""

    number: int
    content_hash: str | None
    frozen_at: datetime | None
    frozen_by: str
    created_at: datetime
    items: int


@dataclass(frozen=True, slots=True)
class CurriculumRow:
    """A curriculum with its newest frozen version, if there is one, and whether a draft is open."""

    id: int
    name: str
    created_at: datetime
    created_by: str
    latest: int
    frozen: VersionRow | None

    @property
    def has_draft(self) -> bool:
        return self.frozen is None or self.frozen.number < self.latest


def _versions() -> Select[CurriculumVersion, str | None, int]:
    items = (
        select(func.count())
        .where(CurriculumItem.version_id == CurriculumVersion.id)
        .correlate(CurriculumVersion)
        .scalar_subquery()
    )
    return select(CurriculumVersion, User.name, items).outerjoin(User, User.id == CurriculumVersion.frozen_by)


def _version_row(version: CurriculumVersion, name: str | None, items: int) -> VersionRow:
    return VersionRow(version.number, version.content_hash, version.frozen_at, name or "", version.created_at, items)


def curricula(session: Session, workspace_id: int, after: int | None, limit: int) -> list[CurriculumRow]:
    """Newest first; `after` is the id of the last one of the page before."""
    query = (
        select(Curriculum, User.name)
        .outerjoin(User, User.id == Curriculum.created_by)
        .where(Curriculum.workspace_id == workspace_id)
        .order_by(Curriculum.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(Curriculum.id < after)
    rows = session.execute(query).all()
    of: dict[int, list[VersionRow]] = {curriculum.id: [] for curriculum, _ in rows}
    for version, name, items in session.execute(
        _versions()
        .where(CurriculumVersion.workspace_id == workspace_id, CurriculumVersion.curriculum_id.in_(of))
        .order_by(CurriculumVersion.number.desc())
    ):
        of[version.curriculum_id].append(_version_row(version, name, items))
    return [
        CurriculumRow(
            curriculum.id,
            curriculum.name,
            curriculum.created_at,
            name or "",
            of[curriculum.id][0].number,
            next((v for v in of[curriculum.id] if v.frozen_at), None),
        )
        for curriculum, name in rows
    ]


def curriculum(session: Session, workspace_id: int, curriculum_id: int) -> Curriculum | None:
    return session.execute(
        select(Curriculum).where(Curriculum.workspace_id == workspace_id, Curriculum.id == curriculum_id)
    ).scalar_one_or_none()


def curriculum_by_name(session: Session, workspace_id: int, name: str) -> Curriculum | None:
    return session.execute(
        select(Curriculum).where(Curriculum.workspace_id == workspace_id, Curriculum.name == name)
    ).scalar_one_or_none()


def lock_names(session: Session, workspace_id: int, name: str) -> None:
    """Until the end of the transaction: of two people who take one name at once, the other sees it taken."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"curriculum/{workspace_id}/{name}", 0))))


def lock_curriculum(session: Session, workspace_id: int, curriculum_id: int) -> Curriculum | None:
    """The curriculum, held against others that would add or freeze a version."""
    return session.execute(
        select(Curriculum)
        .where(Curriculum.workspace_id == workspace_id, Curriculum.id == curriculum_id)
        .with_for_update()
    ).scalar_one_or_none()


def versions(session: Session, workspace_id: int, curriculum_id: int) -> list[VersionRow]:
    """Newest first."""
    rows = session.execute(
        _versions()
        .where(CurriculumVersion.workspace_id == workspace_id, CurriculumVersion.curriculum_id == curriculum_id)
        .order_by(CurriculumVersion.number.desc())
    )
    return [_version_row(version, name, items) for version, name, items in rows]


def version(session: Session, workspace_id: int, curriculum_id: int, number: int | None) -> CurriculumVersion | None:
    """Version `number`, or the newest."""
    query = (
        select(CurriculumVersion)
        .where(CurriculumVersion.workspace_id == workspace_id, CurriculumVersion.curriculum_id == curriculum_id)
        .order_by(CurriculumVersion.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return session.execute(
        query if number is None else query.where(CurriculumVersion.number == number)
    ).scalar_one_or_none()


def frozen_before(session: Session, workspace_id: int, curriculum_id: int, number: int) -> CurriculumVersion | None:
    """The newest frozen version below `number`."""
    return session.execute(
        select(CurriculumVersion)
        .where(
            CurriculumVersion.workspace_id == workspace_id,
            CurriculumVersion.curriculum_id == curriculum_id,
            CurriculumVersion.number < number,
            CurriculumVersion.frozen_at.is_not(None),
        )
        .order_by(CurriculumVersion.number.desc())
        .limit(1)
    ).scalar_one_or_none()


def same_revision(session: Session, workspace_id: int, curriculum_id: int, content_hash: str) -> int | None:
    """The number of the version that already has this hash."""
    return session.execute(
        select(CurriculumVersion.number).where(
            CurriculumVersion.workspace_id == workspace_id,
            CurriculumVersion.curriculum_id == curriculum_id,
            CurriculumVersion.content_hash == content_hash,
        )
    ).scalar_one_or_none()


def user_name(session: Session, user_id: int | None) -> str:
    return session.execute(select(User.name).where(User.id == user_id)).scalar_one_or_none() or ""


def now(session: Session) -> datetime:
    """The time of this transaction, by the clock of the database."""
    return session.execute(select(func.now())).scalar_one()


# --- What a selection chooses from ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """A run or a student profile that a selection can name."""

    id: int
    title: str
    variants: int = 0


def runs(session: Session, workspace_id: int) -> list[Choice]:
    """Runs with their number of valid variants, newest first."""
    rows = session.execute(
        select(Run.id, Run.name, func.count(Variant.id))
        .outerjoin(Variant, and_(Variant.run_id == Run.id, _VALID))
        .where(Run.workspace_id == workspace_id, Run.archived_at.is_(None))
        .group_by(Run.id)
        .order_by(Run.id.desc())
    )
    return [Choice(run_id, name or f"Run {run_id}", count) for run_id, name, count in rows]


def students(session: Session, workspace_id: int) -> list[ModelProfile]:
    return list(
        session.execute(
            select(ModelProfile)
            .where(ModelProfile.workspace_id == workspace_id, ModelProfile.role == "student")
            .order_by(ModelProfile.id)
        ).scalars()
    )


def run(session: Session, workspace_id: int, run_id: int) -> Run | None:
    return session.execute(select(Run).where(Run.workspace_id == workspace_id, Run.id == run_id)).scalar_one_or_none()


def known_runs(session: Session, workspace_id: int, ids: Sequence[int]) -> set[int]:
    return set(session.execute(select(Run.id).where(Run.workspace_id == workspace_id, Run.id.in_(ids))).scalars())


def _scope(workspace_id: int, selection: Selection) -> ColumnElement[bool]:
    conditions = [Variant.workspace_id == workspace_id, Run.archived_at.is_(None)]
    if selection.runs:
        conditions = [Variant.workspace_id == workspace_id, Variant.run_id.in_(selection.runs)]
    if selection.environments:
        conditions.append(Variant.environment.in_(selection.environments))
    if selection.arm != "both":
        conditions.append(Chain.arm == selection.arm)
    return and_(*conditions)


def _measured(selection: Selection) -> ColumnElement[bool]:
    student = Run.student_profile_id if selection.student is None else selection.student
    return and_(Measurement.variant_id == Variant.id, Measurement.student_profile_id == student)


def candidates(session: Session, workspace_id: int, selection: Selection) -> list[Candidate]:
    """Every valid variant in scope."""
    rows = session.execute(
        select(
            Variant.id.label("variant_id"),
            Variant.run_id,
            Variant.chain_id,
            Chain.position.label("chain_position"),
            Chain.arm,
            Variant.environment,
            Variant.turn,
            Variant.branch,
            Variant.content_hash,
            Variant.fingerprint,
            Variant.review,
            Measurement.rate,
            func.coalesce(Measurement.passed, 0).label("passed"),
            func.coalesce(Measurement.failed, 0).label("failed"),
            func.coalesce(Measurement.errors, 0).label("errors"),
        )
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, _measured(selection))
        .where(_scope(workspace_id, selection), _VALID)
    )
    return [Candidate(**row._mapping) for row in rows]


def count_invalid(session: Session, workspace_id: int, selection: Selection) -> int:
    """Proposals in scope that are no problem."""
    return session.execute(
        select(func.count())
        .select_from(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .where(_scope(workspace_id, selection), Variant.invalid_code.is_not(None))
    ).scalar_one()


# --- Freezing ---------------------------------------------------------------------------------------------------


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


def facts(session: Session, workspace_id: int, ids: Sequence[int], selection: Selection) -> Iterator[Facts]:
    """In the order of `ids`, read a batch of rows at a time."""
    profiles = {
        profile.id: profile
        for profile in session.execute(select(ModelProfile).where(ModelProfile.workspace_id == workspace_id)).scalars()
    }
    columns = (
        Variant.id.label("variant_id"),
        Variant.problem,
        Variant.content_hash,
        Variant.environment,
        Variant.environment_version,
        Variant.isolation,
        Variant.prompt_hash,
        Variant.direction,
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
    )
    for start in range(0, len(ids), _AT_ONCE):
        batch = ids[start : start + _AT_ONCE]
        rows = session.execute(
            select(*columns)
            .select_from(Variant)
            .join(Chain, Chain.id == Variant.chain_id)
            .join(Seed, Seed.id == Chain.seed_id)
            .join(Run, Run.id == Variant.run_id)
            .join(Measurement, _measured(selection))
            .where(Variant.workspace_id == workspace_id, Variant.id.in_(batch))
        )
        found: dict[int, Facts] = {}
        for row in rows:
            values = dict(row._mapping)
            student, teacher = profiles[values.pop("student")], profiles[values.pop("teacher")]
            found[row.variant_id] = Facts(**values, student=student, teacher=teacher)
        yield from (found[variant_id] for variant_id in batch)


def add_items(session: Session, items: Sequence[dict[str, object]]) -> None:
    for start in range(0, len(items), _AT_ONCE):
        session.execute(insert(CurriculumItem), items[start : start + _AT_ONCE])


# --- Items of a frozen version ----------------------------------------------------------------------------------


def items(
    session: Session,
    workspace_id: int,
    version_id: int,
    *,
    positions: Sequence[int] | None = None,
    limit: int | None = None,
) -> list[CurriculumItem]:
    """Whole items in order: those at `positions`, or the first `limit`."""
    query = (
        select(CurriculumItem)
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .order_by(CurriculumItem.position)
        .limit(limit)
    )
    if positions is not None:
        query = query.where(CurriculumItem.position.in_(positions))
    return list(session.execute(query).scalars())


def item_counts(session: Session, workspace_id: int, version_id: int) -> dict[tuple[str, str], int]:
    """(environment, difficulty) -> number of problems."""
    rows = session.execute(
        select(CurriculumItem.environment, CurriculumItem.difficulty, func.count())
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .group_by(CurriculumItem.environment, CurriculumItem.difficulty)
    )
    return {(environment, difficulty): count for environment, difficulty, count in rows}


def item_rates(session: Session, workspace_id: int, version_id: int) -> list[tuple[float, int]]:
    """Each pass rate with its number of problems."""
    rows = session.execute(
        select(CurriculumItem.rate, func.count())
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .group_by(CurriculumItem.rate)
        .order_by(CurriculumItem.rate)
    )
    return [(rate, count) for rate, count in rows]


@dataclass(frozen=True, slots=True)
class ItemKey:
    """One problem of a frozen version, without its row."""

    position: int
    variant_id: int
    content_hash: str
    environment: str
    difficulty: str
    rate: float


def item_keys(session: Session, workspace_id: int, version_id: int) -> list[ItemKey]:
    rows = session.execute(
        select(
            CurriculumItem.position,
            CurriculumItem.variant_id,
            CurriculumItem.content_hash,
            CurriculumItem.environment,
            CurriculumItem.difficulty,
            CurriculumItem.rate,
        )
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .order_by(CurriculumItem.position)
    )
    return [ItemKey(**row._mapping) for row in rows]


def exports(session: Session, workspace_id: int, version_id: int) -> list[Export]:
    return list(
        session.execute(
            select(Export)
            .where(Export.workspace_id == workspace_id, Export.version_id == version_id)
            .order_by(Export.format)
        ).scalars()
    )
