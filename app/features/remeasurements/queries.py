"""What can be measured again, how far requests are, and what several students made of the same variants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    not_,
    select,
    text,
    true,
)
from sqlalchemy.orm import aliased

from app.db import Session
from app.domain.difficulty import Tally, bin_of
from app.features.chains.headlines import headline
from app.features.chains.queries.variant import profile
from app.features.chains.schemas import Profile
from app.features.remeasurements.schemas import Chosen, Pair, RemeasurementRow, StudentFigures, VariantChoice
from app.features.runs.queries import broad_bin, kept_rate, measured_by_run, unique_variant, usable_variant
from app.models import (
    CurriculumItem,
    CurriculumVersion,
    Measurement,
    ModelProfile,
    Remeasurement,
    RemeasurementItem,
    Run,
    User,
    Variant,
)

PAIRS = 200

_OPEN = RemeasurementItem.state == "open"
_GOES_ON = Remeasurement.state.in_(("running", "paused"))


# --- choosing ----------------------------------------------------------------------------------------------------


def hold_profile(session: Session, workspace_id: int, profile_id: int) -> None:
    """Whoever asks for the same student's measurements waits here, so that no variant is asked for twice at once."""
    key = f"remeasure/{workspace_id}/{profile_id}"
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def chosen(session: Session, workspace_id: int, selection: VariantChoice, profile_id: int | None) -> list[Chosen]:
    """In the order of ids. Without a `profile_id` nothing is known of who measured what."""
    judged: ColumnElement[bool] = false()
    asked: ColumnElement[bool] = false()
    if profile_id is not None:
        judged = exists().where(
            Measurement.variant_id == Variant.id,
            Measurement.student_profile_id == profile_id,
            Measurement.judged_at.is_not(None),
        )
        asked = exists().where(
            RemeasurementItem.variant_id == Variant.id,
            RemeasurementItem.remeasurement_id == Remeasurement.id,
            Remeasurement.student_profile_id == profile_id,
            _GOES_ON,
            _OPEN,
        )
    obstacle = case(
        (Variant.stage != "done", "still being checked or measured by its run"),
        (Variant.invalid_code.is_not(None), "invalid"),
        (judged, "measured with this student already"),
        (asked, "being measured with this student"),
        else_="",
    )
    rows = session.execute(
        select(Variant.id, Variant.run_id, Variant.environment, obstacle)
        .where(Variant.workspace_id == workspace_id, _selected(selection))
        .order_by(Variant.id)
    )
    return [Chosen(*row) for row in rows]


def _selected(selection: VariantChoice) -> ColumnElement[bool]:
    if selection.revision is not None:
        items = (
            select(CurriculumItem.variant_id)
            .join(CurriculumVersion, CurriculumVersion.id == CurriculumItem.version_id)
            .where(CurriculumVersion.content_hash == selection.revision)
        )
        return Variant.id.in_(items)
    if selection.run is not None:
        usable: Select[Any] = (
            select(Variant.id)
            .join(Run, Run.id == Variant.run_id)
            .join(Measurement, measured_by_run())
            .where(Variant.run_id == selection.run, usable_variant())
        )
        return Variant.id.in_(usable)
    return Variant.id.in_(selection.variants)


def has_run(session: Session, workspace_id: int, run_id: int) -> bool:
    return session.execute(select(Run.id).where(Run.id == run_id, Run.workspace_id == workspace_id)).first() is not None


def has_revision(session: Session, workspace_id: int, revision: str) -> bool:
    found = select(CurriculumVersion.id).where(
        CurriculumVersion.content_hash == revision, CurriculumVersion.workspace_id == workspace_id
    )
    return session.execute(found).first() is not None


def add_items(session: Session, remeasurement: Remeasurement, variants: Sequence[int]) -> None:
    session.execute(
        insert(RemeasurementItem),
        [
            {
                "remeasurement_id": remeasurement.id,
                "variant_id": variant_id,
                "workspace_id": remeasurement.workspace_id,
                "state": "open",
                "reason": "",
            }
            for variant_id in variants
        ],
    )


def forget_unjudged(session: Session, remeasurement_id: int) -> None:
    """Replies that got no verdict are nobody's: another request has other seeds."""
    left = select(RemeasurementItem.variant_id).where(RemeasurementItem.remeasurement_id == remeasurement_id, _OPEN)
    profile = select(Remeasurement.student_profile_id).where(Remeasurement.id == remeasurement_id).scalar_subquery()
    session.execute(
        delete(Measurement)
        .where(
            Measurement.variant_id.in_(left),
            Measurement.student_profile_id == profile,
            Measurement.judged_at.is_(None),
        )
        .execution_options(synchronize_session=False)
    )


# --- following ---------------------------------------------------------------------------------------------------


def locked(session: Session, workspace_id: int, remeasurement_id: int) -> Remeasurement | None:
    """Held against a simultaneous change of its state."""
    return session.execute(
        select(Remeasurement)
        .where(Remeasurement.id == remeasurement_id, Remeasurement.workspace_id == workspace_id)
        .with_for_update(key_share=True)
    ).scalar()


def one(session: Session, workspace_id: int, remeasurement_id: int) -> RemeasurementRow | None:
    return next(iter(_rows(session, workspace_id, Remeasurement.id == remeasurement_id)), None)


def listed(session: Session, workspace_id: int, before: int | None, limit: int) -> list[RemeasurementRow]:
    """Newest first."""
    which = Remeasurement.id < before if before is not None else true()
    return _rows(session, workspace_id, which, limit)


def of_run(session: Session, workspace_id: int, run_id: int) -> list[RemeasurementRow]:
    """Those that hold a variant of the run, newest first."""
    ids = (
        select(RemeasurementItem.remeasurement_id)
        .join(Variant, Variant.id == RemeasurementItem.variant_id)
        .where(Variant.run_id == run_id)
    )
    return _rows(session, workspace_id, Remeasurement.id.in_(ids))


def _rows(
    session: Session, workspace_id: int, which: ColumnElement[bool], limit: int | None = None
) -> list[RemeasurementRow]:
    def count(*states: str) -> Any:
        return (
            select(func.count())
            .where(RemeasurementItem.remeasurement_id == Remeasurement.id, RemeasurementItem.state.in_(states))
            .correlate(Remeasurement)
            .scalar_subquery()
        )

    rows = session.execute(
        select(
            Remeasurement,
            ModelProfile,
            User.name,
            count("open", "done", "set_aside"),
            count("done"),
            count("set_aside"),
        )
        .join(ModelProfile, ModelProfile.id == Remeasurement.student_profile_id)
        .outerjoin(User, User.id == Remeasurement.created_by)
        .where(Remeasurement.workspace_id == workspace_id, which)
        .order_by(Remeasurement.id.desc())
        .limit(limit)
    )
    return [
        RemeasurementRow(
            id=row.id,
            name=row.name,
            state=row.state,
            error=row.error,
            student=profile(student),
            attempts=int(str(row.config["attempts"])),
            variants=total,
            done=done,
            set_aside=aside,
            created_by=user or "",
            created_at=row.created_at,
            finished_at=row.finished_at,
        )
        for row, student, user, total, done, aside in rows
    ]


def earlier_students(session: Session, remeasurement_id: int) -> list[Profile]:
    """Those of the runs that the variants come from."""
    runs = (
        select(Variant.run_id)
        .join(RemeasurementItem, RemeasurementItem.variant_id == Variant.id)
        .where(RemeasurementItem.remeasurement_id == remeasurement_id)
    )
    ids = select(Run.student_profile_id).where(Run.id.in_(runs))
    rows = session.execute(select(ModelProfile).where(ModelProfile.id.in_(ids)).order_by(ModelProfile.id)).scalars()
    return list(map(profile, rows))


def set_aside(session: Session, remeasurement_id: int) -> list[tuple[str, int]]:
    """(reason, number) of what could not be measured."""
    rows = session.execute(
        select(RemeasurementItem.reason, func.count())
        .where(RemeasurementItem.remeasurement_id == remeasurement_id, RemeasurementItem.state == "set_aside")
        .group_by(RemeasurementItem.reason)
        .order_by(RemeasurementItem.reason)
    )
    return [(reason, number) for reason, number in rows]


def pairs(session: Session, remeasurement_id: int, profile_id: int, after: int = 0, limit: int = PAIRS) -> list[Pair]:
    """What is measured so far, beside the measurement by the student of each variant's run; by id, from `after` on."""
    own, new = aliased(Measurement), aliased(Measurement)
    rows = session.execute(
        select(Variant, own, new)
        .select_from(RemeasurementItem)
        .join(Variant, Variant.id == RemeasurementItem.variant_id)
        .join(Run, Run.id == Variant.run_id)
        .join(new, and_(new.variant_id == Variant.id, new.student_profile_id == profile_id))
        .outerjoin(own, and_(own.variant_id == Variant.id, own.student_profile_id == Run.student_profile_id))
        .where(
            RemeasurementItem.remeasurement_id == remeasurement_id,
            RemeasurementItem.state == "done",
            Variant.id > after,
        )
        .order_by(Variant.id)
        .limit(limit)
    ).all()
    return [
        Pair(
            variant_id=variant.id,
            run_id=variant.run_id,
            place=f"{variant.turn}.{variant.branch}",
            environment=variant.environment,
            headline=headline(variant.problem),
            own=_tally(before),
            own_rate=before.rate if before else None,
            own_bin=_bin(before),
            new=_tally(again),
            new_rate=again.rate,
            new_bin=_bin(again),
        )
        for variant, before, again in rows
    ]


def _tally(row: Measurement | None) -> Tally:
    return Tally(row.passed, row.failed, row.errors) if row else Tally(0, 0)


def _bin(row: Measurement | None) -> str | None:
    return bin_of(row.rate) if row is not None and row.rate is not None else None


def rate_pairs(session: Session, remeasurement_id: int, profile_id: int) -> list[tuple[float, float, int]]:
    """(rate by the student of a variant's run, rate by this one, number of such variants)."""
    own, new = aliased(Measurement), aliased(Measurement)
    rows = session.execute(
        select(own.rate, new.rate, func.count())
        .select_from(RemeasurementItem)
        .join(Variant, Variant.id == RemeasurementItem.variant_id)
        .join(Run, Run.id == Variant.run_id)
        .join(new, and_(new.variant_id == Variant.id, new.student_profile_id == profile_id))
        .join(own, and_(own.variant_id == Variant.id, own.student_profile_id == Run.student_profile_id))
        .where(
            RemeasurementItem.remeasurement_id == remeasurement_id,
            RemeasurementItem.state == "done",
            own.rate.is_not(None),
            new.rate.is_not(None),
        )
        .group_by(own.rate, new.rate)
        .order_by(own.rate, new.rate)
    )
    return [(before, after, number) for before, after, number in rows if before is not None and after is not None]


def moves(pairs: Sequence[tuple[float, float, int]]) -> dict[tuple[str, str], int]:
    """(bin by the run's own student, bin by this one) -> number of variants; "" is outside all bins."""
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for before, now, number in pairs:
        found[bin_of(before) or "", bin_of(now) or ""] += number
    return dict(found)


def students_of_run(session: Session, run_id: int) -> list[StudentFigures]:
    """Every student that measured valid, unique variants of a run in no benchmark; the run's own first.

    Of both arms, and without what people asked for, as in the figures beside it.
    """
    own = Measurement.student_profile_id == Run.student_profile_id
    rows = session.execute(
        select(
            ModelProfile,
            own.label("own"),
            broad_bin().label("bin"),
            func.count().label("measured"),
            func.sum(kept_rate().cast(Integer)).label("usable"),
            func.sum(Measurement.rate).label("total"),
        )
        .select_from(Variant)
        .join(Run, Run.id == Variant.run_id)
        .join(Measurement, Measurement.variant_id == Variant.id)
        .join(ModelProfile, ModelProfile.id == Measurement.student_profile_id)
        .where(
            Variant.run_id == run_id,
            Variant.invalid_code.is_(None),
            unique_variant(),
            not_(Variant.contaminated),
            Variant.growth_id.is_(None),
            Measurement.rate.is_not(None),
        )
        .group_by(ModelProfile.id, own, "bin")
        .order_by(own.desc(), ModelProfile.id)
    ).all()
    grouped: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.ModelProfile.id].append(row)
    return [_figures(parts) for parts in grouped.values()]


def _figures(parts: Sequence[Any]) -> StudentFigures:
    first, measured = parts[0], sum(row.measured for row in parts)
    return StudentFigures(
        student=profile(first.ModelProfile),
        own=first.own,
        measured=measured,
        usable=sum(row.usable for row in parts),
        mean=sum(row.total for row in parts) / measured,
        bins={row.bin: row.measured for row in parts},
    )
