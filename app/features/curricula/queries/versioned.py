"""Curricula and their versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select

from app.db import Session
from app.models import (
    Curriculum,
    CurriculumItem,
    CurriculumVersion,
    User,
)


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
