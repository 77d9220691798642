"""Runs over HTTP: start, look, pause, resume, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.errors import NotFound
from app.features.runs import listing, queries, service
from app.features.runs.report import as_data
from app.features.runs.schemas import RunConfig, parse, to_yaml
from app.features.runs.summary import summarise
from app.models import Run
from app.web.deps import BIGGEST_ID, ApiActor, Id, Work

router = APIRouter(tags=["runs"])

_EXAMPLE = {
    "name": "A first look",
    "seeds": {"set": "Python 3.11 standard library", "count": 4},
    "environments": ["deduction", "induction"],
    "turns": 3,
    "attempts": 16,
    "baseline": False,
}


class RunOut(BaseModel):
    """A run as lists show it."""

    id: int
    name: str
    state: Literal["running", "paused", "cancelled", "finished"]
    error: str = Field(description="Why it paused by itself; empty otherwise.")
    created_at: datetime
    finished_at: datetime | None
    archived: bool

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls.model_validate(
            {
                "id": run.id,
                "name": run.name,
                "state": run.state,
                "error": run.error,
                "created_at": run.created_at,
                "finished_at": run.finished_at,
                "archived": run.archived_at is not None,
            }
        )


class RunList(BaseModel):
    items: list[RunOut]
    next_before: int | None = Field(description="Pass it as `before` for the next page; null on the last.")


class RunDetail(RunOut):
    """A run with its settings and figures; `summary` holds the same numbers as the page and `cairn refine --json`."""

    model_config = ConfigDict(extra="forbid")

    config: RunConfig
    summary: dict[str, object]
    previews: RunConfig | None = Field(description="Of a preview: the whole run's settings.")


@router.get("/runs")
def list_runs(
    work: Work,
    actor: ApiActor,
    state: Literal["running", "paused", "cancelled", "finished"] | None = None,
    archived: bool = False,
    q: Annotated[str, Query(max_length=200, description="Part of the name.")] = "",
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RunList:
    """Newest first."""
    found = listing.runs(
        work, actor.workspace_id, state=state, archived=archived, text=q, before=before, limit=limit + 1
    )
    items = [RunOut.of(run) for run, _ in found[:limit]]
    return RunList(items=items, next_before=items[-1].id if len(found) > limit else None)


@router.post("/runs", status_code=201)
def start_run(
    work: Work,
    actor: ApiActor,
    config: Annotated[dict[str, object], Body(openapi_examples={"small": {"value": _EXAMPLE}})],
) -> RunDetail:
    """Starts a run from a RunConfig; the page of a run gives its configuration as YAML."""
    return _detail(work, service.create(work, actor, parse(config)))


@router.post("/runs/preview", status_code=201)
def preview_run(
    work: Work,
    actor: ApiActor,
    config: Annotated[dict[str, object], Body(openapi_examples={"small": {"value": _EXAMPLE}})],
) -> RunDetail:
    """Starts the run on its first five seeds only; `summary.estimate` then tells what the whole of it would take."""
    return _detail(work, service.preview(work, actor, parse(config)))


@router.post("/runs/{run_id}/whole", status_code=201)
def start_whole(work: Work, actor: ApiActor, run_id: Id) -> RunDetail:
    """Starts the run that a preview stands for. 409 where this is none."""
    return _detail(work, service.create_previewed(work, actor, run_id))


@router.get("/runs/{run_id}")
def get_run(work: Work, actor: ApiActor, run_id: Id) -> RunDetail:
    return _detail(work, _found(work, actor.workspace_id, run_id))


@router.get("/runs/{run_id}/config.yaml", response_class=Response)
def get_config(work: Work, actor: ApiActor, run_id: Id) -> Response:
    run = _found(work, actor.workspace_id, run_id)
    return Response(to_yaml(service.config_of(run)), media_type="application/yaml")


@router.post("/runs/{run_id}/{action}")
def change_state(
    work: Work, actor: ApiActor, run_id: Id, action: Literal["pause", "resume", "cancel", "archive", "restore"]
) -> RunDetail:
    """409 where the run is in no state for it."""
    if action in ("archive", "restore"):
        run = service.archive(work, actor, run_id, archived=action == "archive")
    else:
        run = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}[action](work, actor, run_id)
    return _detail(work, run)


def _detail(work: Work, run: Run) -> RunDetail:
    work.flush()
    work.refresh(run)
    return RunDetail(
        **RunOut.of(run).model_dump(),
        config=service.config_of(run),
        summary=as_data(summarise(work, run)),
        previews=RunConfig.model_validate(run.previews) if run.previews else None,
    )


def _found(work: Work, workspace_id: int, run_id: int) -> Run:
    run = queries.run(work, workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.")
    return run
