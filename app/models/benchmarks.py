"""Benchmark sets, and what of them was found again in what runs have grown."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, WorkspaceId


class BenchmarkSet(Base):
    """Problems that models are measured by, so that no curriculum may hold them."""

    __tablename__ = "benchmark_set"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    origin: Mapped[str]
    item_count: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[Now]


class BenchmarkItem(Base):
    """One problem. `grams`, `bands` and `signature` are what variants are compared with (app.domain.overlap)."""

    __tablename__ = "benchmark_item"
    __table_args__ = (
        UniqueConstraint("benchmark_set_id", "position"),
        Index("ix_benchmark_item_grams", "grams", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index("ix_benchmark_item_bands", "bands", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    benchmark_set_id: Mapped[int] = mapped_column(ForeignKey("benchmark_set.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str]
    statement: Mapped[str]
    code: Mapped[str]
    grams: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    bands: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)


class RunBenchmark(Base):
    """A set that a run's variants are compared with: those there were at its start, and those of later checks."""

    __tablename__ = "run_benchmark"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    benchmark_set_id: Mapped[int] = mapped_column(
        ForeignKey("benchmark_set.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    workspace_id: Mapped[WorkspaceId]


class RunCheck(Base):
    """The last time that all variants of a run were compared again. `cursor` is the last one that was.

    Whoever drives it holds a lease; one that died is followed by another, which goes on at the cursor.
    """

    __tablename__ = "run_check"
    __table_args__ = (CheckConstraint("state in ('running', 'done')", name="state"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    state: Mapped[str]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int]
    cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    started_at: Mapped[Now]
    finished_at: Mapped[datetime | None]


class Overlap(Base):
    """What a variant shares with a set: the item that it shares most with, and one passage of what is shared."""

    __tablename__ = "overlap"
    __table_args__ = (CheckConstraint("kind in ('text', 'code')", name="kind"),)

    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True)
    benchmark_set_id: Mapped[int] = mapped_column(
        ForeignKey("benchmark_set.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    workspace_id: Mapped[WorkspaceId]
    benchmark_item_id: Mapped[int] = mapped_column(ForeignKey("benchmark_item.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    grams: Mapped[int]
    similarity: Mapped[float | None]
    passage: Mapped[str]
