"""Problems, how well students did on them, and each attempt."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, PlainText, WorkspaceId


class Variant(Base):
    """One proposal in a tree, valid or not.

    `stage` tells how far it got; each stage is committed, so a killed lane repeats at most the one it was in.
    `problem` is the canonical JSON of app.domain.problem_codec once checked. `path` (turn.branch of every ancestor,
    zero padded) sorts a chain in preorder; `depth` and `subtree` serve the tree grid without recursion. `growth_id`
    names the request that it was grown on; what a chain grew by itself has none. What it repeats: `duplicate_of` has
    the same program and `near_of` nearly the same, both in this run; `known_of` has either in an older run.
    `contaminated` says that an Overlap names it.
    """

    __tablename__ = "variant"
    __table_args__ = (
        UniqueConstraint("chain_id", "turn", "branch"),
        CheckConstraint("stage in ('proposed', 'checked', 'attempted', 'done')", name="stage"),
        CheckConstraint("review in ('', 'approved', 'rejected')", name="review"),
        CheckConstraint("(invalid_code is null) or (stage = 'done')", name="invalid_is_done"),
        Index("ix_variant_run_id_fingerprint", "run_id", "fingerprint"),
        # The rest lets the tree grid filter and count a run's variants without reading their long texts.
        Index(
            "ix_variant_run_id_chain_id_path",
            "run_id",
            "chain_id",
            "path",
            postgresql_include=[
                "id",
                "turn",
                "invalid_code",
                "duplicate_of",
                "near_of",
                "known_of",
                "contaminated",
                "review",
            ],
        ),
        Index("ix_variant_near_of", "near_of", postgresql_where="near_of is not null"),
        Index("ix_variant_known_of", "known_of", postgresql_where="known_of is not null"),
        Index("ix_variant_workspace_id_review", "workspace_id", "review"),
        Index("ix_variant_growth_id", "growth_id", postgresql_where="growth_id is not null"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    chain_id: Mapped[int] = mapped_column(ForeignKey("chain.id", ondelete="CASCADE"))
    environment: Mapped[str]
    turn: Mapped[int]
    branch: Mapped[int]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), index=True)
    growth_id: Mapped[int | None] = mapped_column(
        # Each of the two tables refers to the other: this key is added once both are there.
        ForeignKey("growth.id", name="fk_variant_growth_id", ondelete="CASCADE", use_alter=True)
    )
    direction: Mapped[str]
    target_low: Mapped[float]
    target_high: Mapped[float]
    stage: Mapped[str] = mapped_column(default="proposed")

    reply: Mapped[str]
    reasoning: Mapped[str] = mapped_column(default="")
    finish_reason: Mapped[str] = mapped_column(default="stop")
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    prompt_hash: Mapped[str]
    environment_version: Mapped[str]
    isolation: Mapped[str] = mapped_column(default="")

    invalid_code: Mapped[str | None]
    invalid_detail: Mapped[str] = mapped_column(default="")
    problem: Mapped[str | None]
    content_hash: Mapped[str | None] = mapped_column(index=True)
    fingerprint: Mapped[str | None]
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("variant.id", ondelete="SET NULL"))
    near_of: Mapped[int | None] = mapped_column(ForeignKey("variant.id", ondelete="SET NULL"))
    near_similarity: Mapped[float | None]
    known_of: Mapped[int | None] = mapped_column(ForeignKey("variant.id", ondelete="SET NULL"))
    known_similarity: Mapped[float | None]
    contaminated: Mapped[bool] = mapped_column(server_default=text("false"))

    path: Mapped[str] = mapped_column(PlainText(collation="C"))
    depth: Mapped[int]
    subtree: Mapped[int] = mapped_column(default=1)
    review: Mapped[str] = mapped_column(default="")
    created_at: Mapped[Now]


class Sketch(Base):
    """What a valid variant's program is compared by (app.domain.sketch), and its place in the run.

    The place (`asked`, `position`, `turn`, `branch`) never changes and stands here too, so that the earliest similar
    variant is found without a join. `bands` meet within a workspace and environment only.
    """

    __tablename__ = "sketch"
    # Read within milliseconds of being written: a list of pending entries would be searched from end to end each time.
    __table_args__ = (Index("ix_sketch_bands", "bands", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),)

    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    chain_id: Mapped[int] = mapped_column(ForeignKey("chain.id", ondelete="CASCADE"), index=True)
    arm: Mapped[str]
    environment: Mapped[str]
    asked: Mapped[bool]
    position: Mapped[int]
    turn: Mapped[int]
    branch: Mapped[int]
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    bands: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    constructs: Mapped[list[str]]


class Measurement(Base):
    """The attempts of one student profile at one variant. `rate` is null below the minimum number of verdicts."""

    __tablename__ = "measurement"
    __table_args__ = (
        UniqueConstraint("variant_id", "student_profile_id"),
        Index("ix_measurement_student_profile_id_rate", "student_profile_id", "rate"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"))
    student_profile_id: Mapped[int] = mapped_column(ForeignKey("model_profile.id"))
    passed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    cut: Mapped[int] = mapped_column(default=0)
    rate: Mapped[float | None]
    low: Mapped[float] = mapped_column(default=0.0)
    high: Mapped[float] = mapped_column(default=1.0)
    prompt_hash: Mapped[str]
    isolation: Mapped[str] = mapped_column(default="")
    judged_at: Mapped[datetime | None]


class Attempt(Base):
    """One sample of a student. `verdict` is null until it is judged."""

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("measurement_id", "number"),
        CheckConstraint("verdict in ('passed', 'failed', 'error')", name="verdict"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"))
    measurement_id: Mapped[int] = mapped_column(ForeignKey("measurement.id", ondelete="CASCADE"))
    number: Mapped[int]
    reply: Mapped[str]
    reasoning: Mapped[str] = mapped_column(default="")
    finish_reason: Mapped[str] = mapped_column(default="stop")
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    verdict: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    answer: Mapped[str] = mapped_column(default="")


class Decision(Base):
    """A person's word on a variant, append-only, bound to the content that was seen; `undoes` takes one back, once."""

    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("kind in ('approve', 'reject', 'undo')", name="kind"),
        CheckConstraint("(kind = 'undo') = (undoes is not null)", name="undo_names_its_decision"),
        Index("ix_decision_variant_id_id", "variant_id", "id"),
        Index("ix_decision_user_id_id", "user_id", "id"),
    )

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    kind: Mapped[str]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("decision.id", ondelete="CASCADE"), unique=True)
    reason: Mapped[str] = mapped_column(default="")
    comment: Mapped[str] = mapped_column(default="")
    content_hash: Mapped[str]
    at: Mapped[Now]
