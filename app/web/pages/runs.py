"""The list of runs: the home page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from app.domain.difficulty import wilson
from app.features.runs import queries
from app.features.runs.queries import RunRow
from app.web.deps import BIGGEST_ID, Member, PagesDep, Work
from app.web.navigation import NavItem

NAV = NavItem("Runs", "/runs", key="r", order=1)
router = APIRouter()

State = Literal["running", "paused", "finished", "cancelled", "failed"]
STATES: tuple[str, ...] = ("running", "paused", "finished", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class Yield:
    """Usable variants per teacher call, with its 95% interval."""

    usable: int
    calls: int

    @property
    def rate(self) -> float | None:
        return self.usable / self.calls if self.calls else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.usable, self.calls)


@dataclass(frozen=True, slots=True)
class Line:
    row: RunRow
    main: Yield
    baseline: Yield


@dataclass(frozen=True, slots=True)
class RunsPage:
    """The context of runs/page.html. `attention` holds the runs that paused by themselves or failed."""

    lines: Sequence[Line]
    attention: Sequence[Line]
    states: Sequence[str]
    state: str
    archived: bool
    text: str
    more: int | None
    filtered: bool


@router.get("/")
def home() -> Response:
    return RedirectResponse("/runs", 303)


@router.get("/runs")
def runs(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    state: State | None = None,
    archived: bool = False,
    q: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
) -> Response:
    rows = queries.list_runs(
        work, member.workspace_id, state=state, archived=archived, text=q, before=before, limit=queries.PAGE + 1
    )
    lines = [
        Line(row, Yield(row.usable, row.proposals), Yield(row.baseline_usable, row.baseline_proposals))
        for row in rows[: queries.PAGE]
    ]
    return pages.render(
        request,
        "runs/page.html",
        RunsPage(
            lines=lines,
            attention=[line for line in lines if line.row.run.error or line.row.run.state == "failed"],
            states=STATES,
            state=state or "",
            archived=archived,
            text=q,
            more=lines[-1].row.run.id if len(rows) > queries.PAGE else None,
            filtered=bool(state or q or before or archived),
        ),
        block="rows",
    )
