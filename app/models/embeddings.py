"""Vectors that a model gave of variants' texts, and the requests for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, WorkspaceId


class Embedding(Base):
    """A variant's vector by one model (app.domain.embeddings); null where its text is too long for the model."""

    __tablename__ = "embedding"

    profile_id: Mapped[int] = mapped_column(ForeignKey("model_profile.id"), primary_key=True)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True, index=True)
    workspace_id: Mapped[WorkspaceId]
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)


class RunEmbedding(Base):
    """The last request to embed a run's variants. `config` is its EmbedConfig, `figures` what came of it.

    Whoever drives it holds a lease; one that died is followed by another, which embeds what is left. `deaths` counts
    those in a row that embedded nothing. `error` is the trouble that it met last, or that it paused of by itself.
    """

    __tablename__ = "run_embedding"
    __table_args__ = (
        CheckConstraint("state in ('running', 'paused', 'done')", name="state"),
        Index("ix_run_embedding_running", "run_id", postgresql_where="state = 'running'"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    profile_id: Mapped[int] = mapped_column(ForeignKey("model_profile.id"))
    state: Mapped[str]
    config: Mapped[dict[str, object]]
    figures: Mapped[list[dict[str, object]] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[str] = mapped_column(default="")
    deaths: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    started_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
