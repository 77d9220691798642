"""Real code that problems grow from."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, WorkspaceId


class SeedSet(Base):
    __tablename__ = "seed_set"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    origin: Mapped[str]
    seed_count: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class Seed(Base):
    """One piece of code with where it came from. `digest` is the SHA-256 of its text."""

    __tablename__ = "seed"
    __table_args__ = (
        UniqueConstraint("seed_set_id", "digest"),
        UniqueConstraint("seed_set_id", "position"),
        CheckConstraint("kind in ('solution', 'snippet')", name="kind"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    seed_set_id: Mapped[int] = mapped_column(ForeignKey("seed_set.id", ondelete="CASCADE"))
    position: Mapped[int]
    kind: Mapped[str]
    text: Mapped[str]
    language: Mapped[str] = mapped_column(default="python")
    licence: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="")
    digest: Mapped[str]
