"""Measuring variants again with another student."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, WorkspaceId


class Remeasurement(Base):
    """A request to measure a selection of variants with one student. `config` is its RemeasureConfig.

    One lane at a time drives it: `epoch` rises with every claim and fences late writers; `deaths` counts claims in a
    row that ended in a lost lease with nothing committed in between. `error` tells why it paused by itself.
    """

    __tablename__ = "remeasurement"
    __table_args__ = (
        CheckConstraint("state in ('running', 'paused', 'cancelled', 'finished')", name="state"),
        Index("ix_remeasurement_running", "id", postgresql_where="state = 'running'"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="running")
    config: Mapped[dict[str, object]]
    student_profile_id: Mapped[int] = mapped_column(ForeignKey("model_profile.id"))
    error: Mapped[str] = mapped_column(default="")
    epoch: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[Now]
    finished_at: Mapped[datetime | None]


class RemeasurementItem(Base):
    """A variant of the selection. One that is `set_aside` could not be measured, and `reason` says why."""

    __tablename__ = "remeasurement_item"
    __table_args__ = (
        CheckConstraint("state in ('open', 'done', 'set_aside')", name="state"),
        Index("ix_remeasurement_item_variant_id", "variant_id"),
        Index("ix_remeasurement_item_open", "remeasurement_id", "variant_id", postgresql_where="state = 'open'"),
    )

    remeasurement_id: Mapped[int] = mapped_column(ForeignKey("remeasurement.id", ondelete="CASCADE"), primary_key=True)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    state: Mapped[str] = mapped_column(default="open")
    reason: Mapped[str] = mapped_column(default="")
