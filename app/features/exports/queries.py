"""Every select of the exports feature: frozen versions by their revision, and their rows. Scoped by workspace."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.db import Session
from app.models import Curriculum, CurriculumItem, CurriculumVersion, Export

_AT_ONCE = 1_000


def curriculum_exists(session: Session, workspace_id: int, curriculum_id: int) -> bool:
    return (
        session.execute(
            select(Curriculum.id).where(Curriculum.workspace_id == workspace_id, Curriculum.id == curriculum_id)
        ).scalar()
        is not None
    )


def revision(session: Session, workspace_id: int, curriculum_id: int, sha: str) -> CurriculumVersion | None:
    return session.execute(
        select(CurriculumVersion).where(
            CurriculumVersion.workspace_id == workspace_id,
            CurriculumVersion.curriculum_id == curriculum_id,
            CurriculumVersion.content_hash == sha,
        )
    ).scalar_one_or_none()


def latest(session: Session, workspace_id: int, curriculum_id: int) -> str | None:
    """The revision of the newest frozen version."""
    return session.execute(
        select(CurriculumVersion.content_hash)
        .where(
            CurriculumVersion.workspace_id == workspace_id,
            CurriculumVersion.curriculum_id == curriculum_id,
            CurriculumVersion.frozen_at.is_not(None),
        )
        .order_by(CurriculumVersion.number.desc())
        .limit(1)
    ).scalar_one_or_none()


def export(session: Session, workspace_id: int, version_id: int, name: str) -> Export | None:
    return session.execute(
        select(Export).where(
            Export.workspace_id == workspace_id, Export.version_id == version_id, Export.format == name
        )
    ).scalar_one_or_none()


def add_export(
    session: Session, workspace_id: int, version_id: int, user_id: int, name: str, sha256: str, size: int
) -> None:
    """Keeps the hash of the first rendering; a later one is compared with it, never stored over it."""
    session.execute(
        insert(Export)
        .values(
            workspace_id=workspace_id, version_id=version_id, format=name, sha256=sha256, bytes=size, created_by=user_id
        )
        .on_conflict_do_nothing(index_elements=["version_id", "format"])
    )


def lines(session: Session, workspace_id: int, version_id: int) -> Iterator[str]:
    """The text of every row in order, read a batch at a time."""
    rows = session.execute(
        select(CurriculumItem.row)
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .order_by(CurriculumItem.position)
        .execution_options(yield_per=_AT_ONCE)
    ).scalars()
    yield from rows


def page(
    session: Session,
    workspace_id: int,
    version_id: int,
    after: int,
    limit: int,
    environment: str | None,
    stage: int | None,
) -> list[tuple[int, str]]:
    """(position, row) of up to `limit` rows behind position `after`."""
    query = (
        select(CurriculumItem.position, CurriculumItem.row)
        .where(
            CurriculumItem.workspace_id == workspace_id,
            CurriculumItem.version_id == version_id,
            CurriculumItem.position > after,
        )
        .order_by(CurriculumItem.position)
        .limit(limit)
    )
    if environment is not None:
        query = query.where(CurriculumItem.environment == environment)
    if stage is not None:
        query = query.where(CurriculumItem.stage == stage)
    return [(position, row) for position, row in session.execute(query)]


def row(session: Session, workspace_id: int, version_id: int, environment: str, hash_start: str) -> str | None:
    """The row of a problem, by its environment and the first digits of its content hash."""
    return session.execute(
        select(CurriculumItem.row)
        .where(
            CurriculumItem.workspace_id == workspace_id,
            CurriculumItem.version_id == version_id,
            CurriculumItem.environment == environment,
            CurriculumItem.content_hash.startswith(hash_start, autoescape=True),
        )
        .limit(1)
    ).scalar_one_or_none()
