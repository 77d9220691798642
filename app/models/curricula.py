"""Curricula and their frozen versions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, WorkspaceId


class Curriculum(Base):
    __tablename__ = "curriculum"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class CurriculumVersion(Base):
    """A selection; once frozen it never changes, and `content_hash` covers items, order and provenance.

    At most one version of a curriculum is a draft, and no two frozen ones are equal: a hash is an address.
    """

    __tablename__ = "curriculum_version"
    __table_args__ = (
        UniqueConstraint("curriculum_id", "number"),
        UniqueConstraint("curriculum_id", "content_hash"),
        Index("uq_curriculum_version_draft", "curriculum_id", unique=True, postgresql_where="frozen_at is null"),
        CheckConstraint("(frozen_at is null) = (content_hash is null)", name="frozen_has_hash"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    curriculum_id: Mapped[int] = mapped_column(ForeignKey("curriculum.id", ondelete="CASCADE"))
    number: Mapped[int]
    selection: Mapped[dict[str, object]]
    content_hash: Mapped[str | None]
    manifest: Mapped[str | None]
    frozen_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    frozen_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class CurriculumItem(Base):
    """One problem of a frozen version, positions from 0.

    `row` is its export row as canonical JSON (app.domain.export_row), kept so that exports never drift; the other
    columns repeat what lists filter and count by.
    """

    __tablename__ = "curriculum_item"

    version_id: Mapped[int] = mapped_column(ForeignKey("curriculum_version.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    content_hash: Mapped[str]
    environment: Mapped[str]
    difficulty: Mapped[str]
    stage: Mapped[int]
    rate: Mapped[float]
    row: Mapped[str]


class Export(Base):
    """A rendered file of a frozen version; its hash proves that a later one is the same."""

    __tablename__ = "export"
    __table_args__ = (UniqueConstraint("version_id", "format"),)

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    version_id: Mapped[int] = mapped_column(ForeignKey("curriculum_version.id", ondelete="CASCADE"))
    format: Mapped[str]
    sha256: Mapped[str]
    bytes: Mapped[int]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[Now]
