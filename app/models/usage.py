"""What the stages of variants took."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now


class StageUsage(Base):
    """What one committed stage of a variant took; written in the transaction that commits the stage.

    Work that was lost on the way, as with a killed lane, is not in it. `samples` are replies of a model, problems
    checked or attempts judged; `errors` are requests and checks that failed and were made again, of `judging` the
    attempts left without a verdict. Times are seconds, null where there is no such part or where it was not measured:
    `wall_s` from beginning to commit, waiting included; `model_s` of the request that was answered; `sandbox_s` and
    `cpu_s` of the programs run. `arm` is that of the chain, or `asked`, kept here so that a run is summed up without
    its wide rows.
    """

    __tablename__ = "stage_usage"
    __table_args__ = (
        CheckConstraint("stage in ('proposing', 'checking', 'attempting', 'judging')", name="stage"),
        CheckConstraint("arm in ('main', 'baseline', 'asked')", name="arm"),
        Index("ix_stage_usage_run_id", "run_id"),
    )

    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id", ondelete="CASCADE"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"))
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    arm: Mapped[str]
    samples: Mapped[int]
    errors: Mapped[int] = mapped_column(default=0)
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    wall_s: Mapped[float | None]
    model_s: Mapped[float | None]
    sandbox_s: Mapped[float | None]
    cpu_s: Mapped[float | None]
    at: Mapped[Now]
