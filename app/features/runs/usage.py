"""What the stages of a run took, summed by arm and stage. Money is for prices to make of the tokens; see StageSum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import astuple, dataclass
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
    """In the order of arms and stages."""
    return of_runs(session, [run_id]).get(run_id, [])


def of_runs(session: Session, ids: Collection[int]) -> dict[int, list[StageSum]]:
    """Run -> its sums, of those that have any: one query over narrow rows."""
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
    keys = (StageUsage.run_id, StageUsage.arm, StageUsage.stage)
    found: defaultdict[int, list[StageSum]] = defaultdict(list)
    for run_id, *values in session.execute(select(*keys, *sums).where(StageUsage.run_id.in_(ids)).group_by(*keys)):
        found[run_id].append(StageSum(*values))
    order = (*ARMS, ASKED)
    for sums_of_run in found.values():
        sums_of_run.sort(key=lambda of: (order.index(of.arm), STAGES.index(of.stage)))
    return dict(found)


def added(one: StageSum, other: StageSum) -> StageSum:
    """Both together; they are of the same arm and stage."""
    pairs = zip(astuple(one)[2:], astuple(other)[2:], strict=True)
    return StageSum(one.arm, one.stage, *(_sum(*pair) for pair in pairs))


def _sum(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one + other
