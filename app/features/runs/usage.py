"""What the stages of a run took, summed by arm and stage. Money is for prices to make of the tokens; see StageSum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from app.db import Session
from app.features.runs.arms import ARMS, ASKED
from app.features.runs.metering import STAGES
from app.models import StageUsage


@dataclass(frozen=True, slots=True)
class StageSum:
    """The committed stages of one kind in one arm, `count` in all.

    `samples` are replies of a model, problems checked or attempts judged. Times are seconds summed over the `timed`
    stages (those of before they were kept have none), None where there is no such part. Tokens of the teacher stand at
    `proposing`, those of the student at `attempting`: times a price each, they are what a run costs.
    """

    arm: str
    stage: str
    count: int
    timed: int
    samples: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    wall_s: float | None
    model_s: float | None
    sandbox_s: float | None
    cpu_s: float | None


def of_run(session: Session, run_id: int) -> list[StageSum]:
    """One query over narrow rows; in the order of arms and stages."""
    summed = (
        StageUsage.samples,
        StageUsage.errors,
        StageUsage.prompt_tokens,
        StageUsage.completion_tokens,
        StageUsage.wall_s,
        StageUsage.model_s,
        StageUsage.sandbox_s,
        StageUsage.cpu_s,
    )
    sums: list[Any] = [func.count(), func.count(StageUsage.wall_s), *map(func.sum, summed)]
    rows = session.execute(
        select(StageUsage.arm, StageUsage.stage, *sums)
        .where(StageUsage.run_id == run_id)
        .group_by(StageUsage.arm, StageUsage.stage)
    )
    order = (*ARMS, ASKED)
    found = [StageSum(*row) for row in rows]
    return sorted(found, key=lambda of: (order.index(of.arm), STAGES.index(of.stage)))
