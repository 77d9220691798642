"""The list of runs: the home page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from app.features.runs import listing
from app.features.runs.listing import RunRow
from app.models import Run
from app.web.deps import BIGGEST_ID, Member, PagesDep, Work
from app.web.navigation import NavItem

NAV = NavItem("Runs", "/runs", key="r", order=1)
router = APIRouter()

State = Literal["running", "paused", "finished", "cancelled"]
_Cursor = Annotated[int | None, Query(ge=1, le=BIGGEST_ID)]


@dataclass(frozen=True, slots=True)
class RunsPage:
    """The context of runs/page.html. `older` and `newer` are the ids that the neighbouring pages go on from."""

    rows: Sequence[RunRow]
    trouble: Sequence[Run]
    states: Sequence[str]
    state: str
    archived: bool
    text: str
    older: int | None
    newer: int | None
    live: bool


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
    before: _Cursor = None,
    after: _Cursor = None,
) -> Response:
    size = listing.PAGE
    found = listing.runs(
        work, member.workspace_id, state=state, archived=archived, text=q, before=before, after=after, limit=size + 1
    )
    more = len(found) > size
    shown = found[-size:] if after else found[:size]
    context = RunsPage(
        rows=listing.rows(work, shown),
        trouble=listing.in_trouble(work, member.workspace_id),
        states=get_args(State),
        state=state or "",
        archived=archived,
        text=q,
        older=shown[-1][0].id if shown and (more or after) else None,
        newer=shown[0][0].id if shown and (before or (after and more)) else None,
        live=any(run.state == "running" for run, _ in shown),
    )
    return pages.render(request, "runs/page.html", context, block="rows")
