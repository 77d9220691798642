"""Branches that people ask for."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now
from app.models.runs import Leased


class Growth(Leased, Base):
    """A request to grow branches from one variant: who asked for what, and how far lanes have come with it.

    Its `children` lines hold the branches `first_branch` and up of the turns behind the variant's. `digest` is that of
    all that was asked, with its place among equal requests: everything random in these branches derives from it.
    """

    __tablename__ = "growth"
    __table_args__ = (
        UniqueConstraint("chain_id", "first_branch"),
        UniqueConstraint("variant_id", "digest"),
        CheckConstraint("direction in ('easier', 'harder', 'vary', 'repair')", name="direction"),
        CheckConstraint("state in ('open', 'finished', 'failed', 'quarantined', 'cancelled')", name="state"),
        CheckConstraint("children between 1 and 8 and turns between 1 and 6", name="size"),
        Index("ix_growth_run_id", "run_id"),
        Index("ix_growth_claimable", "run_id", "id", postgresql_where="state = 'open'"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    chain_id: Mapped[int] = mapped_column(ForeignKey("chain.id", ondelete="CASCADE"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"))
    direction: Mapped[str]
    instruction: Mapped[str] = mapped_column(default="")
    children: Mapped[int]
    turns: Mapped[int]
    target_low: Mapped[float]
    target_high: Mapped[float]
    first_branch: Mapped[int]
    digest: Mapped[str]
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    asked_at: Mapped[Now]
