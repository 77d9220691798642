"""What a run costs and where it loses, over HTTP: the figures of its page with a schema each."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.db import Session
from app.domain.difficulty import Tally
from app.errors import NotFound
from app.features.runs import figures, queries, usage
from app.features.runs.arms import ARMS
from app.features.runs.summary import summarise
from app.models import Run
from app.web.deps import ApiActor, Id, Work

router = APIRouter(tags=["run figures"])

OwnArm = Literal["main", "baseline"]
Arm = Literal["main", "baseline", "asked"]


class StageOut(BaseModel):
    """What the committed stages of one kind took in one arm. Times are seconds, summed over stages side by side."""

    arm: Arm = Field(description="asked: grown on a person's request.")
    stage: Literal["proposing", "checking", "attempting", "judging"]
    count: int = Field(description="Stages committed.")
    timed: int = Field(description="Those among them whose times are known.")
    samples: int = Field(description="Replies of a model, problems checked, or attempts judged.")
    errors: int = Field(description="Requests and checks that were repeated; attempts left without a verdict.")
    prompt_tokens: int
    completion_tokens: int
    wall_s: float | None = Field(description="From beginning to commit, waiting included.")
    model_s: float | None = Field(description="Of the requests that were answered; null where no model is asked.")
    sandbox_s: float | None = Field(description="Of the programs that were run; null where none was.")
    cpu_s: float | None = Field(description="Processor time of these programs.")


class UsageOut(BaseModel):
    items: list[StageOut]


class StopOut(BaseModel):
    """Chains of one arm that ended for the same reason."""

    arm: OwnArm
    reason: str = Field(description="Pass it as `stop` to the lists of chains and variants.")
    count: int
    chain_id: int = Field(description="The newest of them, as an example.")


class StopList(BaseModel):
    items: list[StopOut]


class ErrorGroupOut(BaseModel):
    """Infrastructure errors of one kind. No pass rate counts them."""

    stage: str
    kind: str
    count: int = Field(description="As they were noted: once a minute by a chain at most.")
    chains: int
    trouble: str = Field(description="Pass it as `trouble` to the lists of chains and variants.")
    example: str = Field(description="The newest message.")
    chain_id: int | None = Field(description="The chain that met it; null where a lane did.")
    last_at: datetime


class InvalidGroupOut(BaseModel):
    """Proposals of one arm that failed the same check."""

    arm: Arm
    code: str = Field(description="Pass it as `invalid` to the list of variants.")
    count: int
    variant_id: int = Field(description="The newest of them, as an example.")
    example: str


class ErrorsOut(BaseModel):
    infrastructure: list[ErrorGroupOut]
    invalid: list[InvalidGroupOut]


class TurnYield(BaseModel):
    """Usable variants among the teacher calls of one turn, with the Wilson 95% interval of the share."""

    turn: int
    usable: int
    calls: int
    share: float
    low: float
    high: float


class YieldOut(BaseModel):
    """Of one arm. Both arms have the same budget of teacher calls."""

    arm: OwnArm
    usable: int
    calls: int
    share: float | None = Field(description="null before the first call.")
    by_turn: list[TurnYield]


class YieldList(BaseModel):
    items: list[YieldOut]


@router.get("/runs/{run_id}/usage")
def get_usage(work: Work, actor: ApiActor, run_id: Id) -> UsageOut:
    """What the stages took so far, by arm."""
    run = _found(work, actor.workspace_id, run_id)
    return UsageOut(items=[StageOut.model_validate(asdict(row)) for row in usage.of_run(work, run.id)])


@router.get("/runs/{run_id}/stops")
def get_stops(work: Work, actor: ApiActor, run_id: Id) -> StopList:
    """Why chains ended, the most frequent reason first."""
    run = _found(work, actor.workspace_id, run_id)
    return StopList(
        items=[StopOut.model_validate(asdict(row)) for row in figures.stop_groups(work, run.id) if row.count]
    )


@router.get("/runs/{run_id}/errors")
def get_errors(work: Work, actor: ApiActor, run_id: Id) -> ErrorsOut:
    """Infrastructure errors and failed checks in groups, with an example of each."""
    run = _found(work, actor.workspace_id, run_id)
    return ErrorsOut(
        infrastructure=[
            ErrorGroupOut(**asdict(group), trouble=f"{group.stage}/{group.kind}")
            for group in figures.incident_groups(work, run.id)
        ],
        invalid=[InvalidGroupOut.model_validate(asdict(group)) for group in figures.invalid_groups(work, run.id)],
    )


@router.get("/runs/{run_id}/yields")
def get_yields(work: Work, actor: ApiActor, run_id: Id) -> YieldList:
    """Usable variants per teacher call, by turn, beside the single-turn baseline where the run has one."""
    summary = summarise(work, _found(work, actor.workspace_id, run_id))
    items = [
        YieldOut.model_validate(
            {
                "arm": name,
                "usable": arm.usable,
                "calls": arm.proposals,
                "share": arm.yield_,
                "by_turn": [_turn(turn, *counts) for turn, counts in arm.usable_by_turn.items()],
            }
        )
        for name, arm in zip(ARMS, summary.arms, strict=False)
    ]
    return YieldList(items=items)


def _turn(turn: int, usable: int, calls: int) -> TurnYield:
    low, high = Tally(usable, calls - usable).interval
    return TurnYield(turn=turn, usable=usable, calls=calls, share=usable / calls, low=low, high=high)


def _found(work: Session, workspace_id: int, run_id: int) -> Run:
    run = queries.run(work, workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.")
    return run
