"""Runs and the lanes that drive them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, WorkspaceId

Spent = Annotated[int, mapped_column(BigInteger, default=0, server_default="0")]


class ModelProfile(Base):
    """With what something was proposed, measured or embedded: engine, model, options.

    Equal ones share a row by digest.
    """

    __tablename__ = "model_profile"
    __table_args__ = (
        UniqueConstraint("workspace_id", "role", "digest"),
        CheckConstraint("role in ('teacher', 'student', 'embedder')", name="role"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    role: Mapped[str]
    engine: Mapped[str]
    model: Mapped[str]
    spec: Mapped[dict[str, object]]
    digest: Mapped[str]


class Run(Base):
    """One refinement job. `config` is the whole RunConfig; `error` tells why it paused by itself.

    `prices` is what its models cost when it started (app.features.runs.prices); `previews` the configuration of the
    whole run that a preview stands for.
    """

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint("state in ('running', 'paused', 'cancelled', 'finished')", name="state"),
        Index("ix_run_workspace_id_state", "workspace_id", "state"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    state: Mapped[str] = mapped_column(default="running")
    config: Mapped[dict[str, object]]
    prices: Mapped[dict[str, object]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    previews: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))
    seed_set_id: Mapped[int] = mapped_column(ForeignKey("seed_set.id"))
    teacher_profile_id: Mapped[int] = mapped_column(ForeignKey("model_profile.id"))
    student_profile_id: Mapped[int] = mapped_column(ForeignKey("model_profile.id"))
    error: Mapped[str] = mapped_column(default="")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]


class LaneSlot(Base):
    """A place for one lane of a run: a duplicate message finds every slot taken, and ends."""

    __tablename__ = "lane_slot"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    isolation: Mapped[str] = mapped_column(default="")


class Leased:
    """What lanes claim and drive, one lane at a time.

    `epoch` rises with every claim and fences late writers; `deaths` counts claims in a row that ended in a lost lease
    with nothing committed in between. The tokens and attempts are those of the replies that the ledger holds.
    """

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    state: Mapped[str] = mapped_column(default="open")
    stop_reason: Mapped[str] = mapped_column(default="")
    next_turn: Mapped[int] = mapped_column(default=1)
    epoch: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    teacher_prompt_tokens: Mapped[Spent]
    teacher_completion_tokens: Mapped[Spent]
    student_prompt_tokens: Mapped[Spent]
    student_completion_tokens: Mapped[Spent]
    attempts: Mapped[Spent]


class Chain(Leased, Base):
    """All turns grown from one seed in one environment, by one arm (the run's strategy, or its baseline).

    A chain that the run's goals or caps left no room for is `stopped`; one that nobody ever drove has epoch 0.
    """

    __tablename__ = "chain"
    __table_args__ = (
        UniqueConstraint("run_id", "arm", "position"),
        CheckConstraint("arm in ('main', 'baseline')", name="arm"),
        CheckConstraint("state in ('open', 'finished', 'stopped', 'failed', 'quarantined', 'cancelled')", name="state"),
        Index("ix_chain_claimable", "run_id", "position", postgresql_where="state = 'open'"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    arm: Mapped[str] = mapped_column(default="main")
    position: Mapped[int]
    seed_id: Mapped[int] = mapped_column(ForeignKey("seed.id"), index=True)
    environment: Mapped[str]


class Incident(Base):
    """An infrastructure error met by a run: grouped by stage and kind on screen, never a verdict."""

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_run_id_kind", "run_id", "stage", "kind"),)

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    chain_id: Mapped[int | None] = mapped_column(ForeignKey("chain.id", ondelete="CASCADE"))
    stage: Mapped[str]
    kind: Mapped[str]
    message: Mapped[str]
    at: Mapped[Now]


class Event(Base):
    """What live pages are told; written in the transaction of what it announces."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_run_id_id", "run_id", "id"),)

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    kind: Mapped[str]
    subject: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[Now]
