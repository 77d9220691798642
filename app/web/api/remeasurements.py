"""Measuring variants again over HTTP: asking for it, following it, and reading the two students side by side."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field

from app.features.remeasurements import queries, service
from app.features.remeasurements.schemas import Pair, RemeasureConfig, RemeasurementRow, VariantChoice, parse
from app.web.deps import BIGGEST_ID, ApiActor, Id, Work
from app.web.outputs import PassRate, ProfileOut

router = APIRouter(tags=["remeasurements"])

_EXAMPLE = {
    "selection": {"run": 1},
    "student": {"engine": "openai", "options": {"base_url": "http://gpu-1:8000/v1", "model": "qwen3-8b"}},
    "attempts": 32,
}
_Cursor = Annotated[int | None, Query(ge=1, le=BIGGEST_ID)]
_Limit = Annotated[int, Query(ge=1, le=1_000)]


class RemeasurementRequest(RemeasureConfig):
    """Which variants, and with what they are measured."""

    selection: VariantChoice


class RemeasurementOut(BaseModel):
    """A request and how far it is."""

    id: int
    name: str
    state: Literal["running", "paused", "cancelled", "finished"]
    error: str = Field(description="Why it paused by itself.")
    student_profile_id: int = Field(description="Names these measurements among those of a variant.")
    engine: str
    student: ProfileOut
    attempts: int
    variants: int
    done: int
    set_aside: int = Field(description="Variants that this student can't be given.")
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: RemeasurementRow) -> RemeasurementOut:
        student = {
            "student": ProfileOut.of(row.student),
            "engine": row.student.engine,
            "student_profile_id": row.student.id,
        }
        return cls(**{name: getattr(row, name) for name in cls.model_fields.keys() - student}, **student)


class RemeasurementAsked(RemeasurementOut):
    """`left_out` counts by reason what of the selection is not measured."""

    left_out: dict[str, int]


class RemeasurementList(BaseModel):
    items: list[RemeasurementOut]
    next_before: int | None = Field(description="Pass it as `before` for the next page; null on the last.")


class Result(BaseModel):
    """A variant: `own` is its measurement by the student of its run, `new` the one by the student of the request."""

    variant_id: int
    run_id: int
    environment: str
    own: PassRate
    new: PassRate

    @classmethod
    def of(cls, pair: Pair) -> Result:
        return cls(
            variant_id=pair.variant_id,
            run_id=pair.run_id,
            environment=pair.environment,
            own=PassRate.made(pair.own, pair.own_rate, pair.own_bin),
            new=PassRate.made(pair.new, pair.new_rate, pair.new_bin),
        )


class ResultList(BaseModel):
    items: list[Result]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null on the last.")


@router.post("/remeasurements", status_code=201)
def start_remeasurement(
    work: Work,
    actor: ApiActor,
    request: Annotated[RemeasurementRequest, Body(openapi_examples={"run": {"value": _EXAMPLE}})],
) -> RemeasurementAsked:
    """Measures the chosen variants with another student. What it has measured already is left out."""
    config = parse(request.model_dump(mode="json", exclude={"selection"}, exclude_none=True))
    found = service.preview(work, actor, request.selection, config)
    row = service.create(work, actor, request.selection, config)
    return RemeasurementAsked(**RemeasurementOut.of(row).model_dump(), left_out=dict(found.left_out))


@router.get("/remeasurements")
def list_remeasurements(work: Work, actor: ApiActor, before: _Cursor = None, limit: _Limit = 100) -> RemeasurementList:
    """Newest first."""
    rows = queries.listed(work, actor.workspace_id, before, limit + 1)
    more = rows[limit - 1].id if len(rows) > limit else None
    return RemeasurementList(items=[RemeasurementOut.of(row) for row in rows[:limit]], next_before=more)


@router.get("/remeasurements/{remeasurement_id}")
def get_remeasurement(work: Work, actor: ApiActor, remeasurement_id: Id) -> RemeasurementOut:
    return RemeasurementOut.of(service.find(work, actor, remeasurement_id))


@router.get("/remeasurements/{remeasurement_id}/results")
def list_results(
    work: Work, actor: ApiActor, remeasurement_id: Id, after: _Cursor = None, limit: _Limit = 100
) -> ResultList:
    """What is measured so far, beside the measurement by the student of each variant's run; by id."""
    row = service.find(work, actor, remeasurement_id)
    pairs = queries.pairs(work, row.id, row.student.id, after or 0, limit + 1)
    more = pairs[limit - 1].variant_id if len(pairs) > limit else None
    return ResultList(items=[Result.of(pair) for pair in pairs[:limit]], next_after=more)


@router.post("/remeasurements/{remeasurement_id}/{action}")
def change_remeasurement(
    work: Work, actor: ApiActor, remeasurement_id: Id, action: Literal["pause", "resume", "cancel"]
) -> RemeasurementOut:
    """409 where it is in no state for it."""
    changes = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}
    return RemeasurementOut.of(changes[action](work, actor, remeasurement_id))
