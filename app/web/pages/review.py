"""What waits for a decision: the runs, and then one usable variant after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.db import Session
from app.domain.actor import Actor
from app.domain.difficulty import BROAD
from app.errors import AppError
from app.features.chains import service
from app.features.chains.filters import VariantFilter
from app.features.chains.schemas import VariantView
from app.features.review import queue
from app.features.review.schemas import REASONS, Panel, QueuePlace, QueueRun
from app.web.charts import DifficultyMap
from app.web.deps import Member, PagesDep, Work
from app.web.navigation import NavItem
from app.web.picks import Pick, options
from app.web.render import Here, Pages, redirect
from app.web.review import Refused, ReviewForm, act
from app.web.variants import Base, Mode, Parts, base_of, map_of

NAV = NavItem("Review", "/review", key="q", order=2)
router = APIRouter()


class QueueQuery(VariantFilter):
    """Which variants to go through, and where one stands."""

    run: int | None = Field(default=None, ge=1, lt=2**63)
    after: int | None = Field(default=None, ge=1, lt=2**63, description="The variant that was decided on or skipped.")
    item: int | None = Field(default=None, ge=1, lt=2**63, description="A variant to look at although it is decided.")
    mode: Mode = "unified"

    @property
    def filter(self) -> VariantFilter:
        return VariantFilter(**{name: getattr(self, name) for name in VariantFilter.model_fields})


@dataclass(frozen=True, slots=True)
class RunsPage:
    """The context of review/runs.html."""

    runs: Sequence[QueueRun]


@dataclass(frozen=True, slots=True)
class Item:
    """The variant to decide on."""

    view: VariantView
    parts: Parts
    base: Base | None
    panel: Panel
    map: DifficultyMap


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The context of review/page.html; `item` is None where nothing is left, `address` that of what is shown."""

    address: Here
    place: QueuePlace
    picks: Sequence[Pick]
    query: QueueQuery
    item: Item | None
    note: str
    refused: Refused | None
    reasons: Mapping[str, str] = field(default_factory=lambda: REASONS)


Wanted = Annotated[QueueQuery, Query()]


@router.get("/review")
def review(request: Request, work: Work, member: Member, pages: PagesDep, query: Wanted) -> Response:
    if query.run is None:
        return pages.render(request, "review/runs.html", RunsPage(queue.queue_runs(work, member)))
    return _render(request, work, member, pages, query, query.run)


@router.post("/review")
def decide(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    query: Wanted,
    form: Annotated[ReviewForm, Form()],
) -> Response:
    """One decision, answered by the next variant; an undone one comes up again."""
    run_id = query.run or 0
    try:
        outcome = act(work, member, form)
    except AppError as error:
        stay = query.model_copy(update={"item": form.variant})
        return _render(request, work, member, pages, stay, run_id, refused=Refused.of(error, form))
    if form.act == "undo":
        onward = {"item": outcome.variant_id, "after": None} | _other_run(run_id, outcome.run_id)
    else:
        onward = {"item": None, "after": outcome.variant_id}
    href = Here(request.url.path, request.url.query)(**onward)
    if request.headers.get("HX-Request") != "true":
        return redirect(href, flash=outcome.message)
    moved = query.model_copy(update=onward)
    response = _render(
        request,
        work,
        member,
        pages,
        moved,
        moved.run or run_id,
        note=outcome.message,
        address=Here(*href.split("?", 1)),
    )
    response.headers["HX-Push-Url"] = href
    return response


def _other_run(here: int, there: int) -> dict[str, int | None]:
    """The last decision may be of another run: undoing it leads there."""
    return {} if here == there else {"run": there}


def _render(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    query: QueueQuery,
    run_id: int,
    *,
    note: str = "",
    refused: Refused | None = None,
    address: Here | None = None,
) -> Response:
    place = queue.next_in_queue(work, actor, run_id, query.filter, query.after)
    chosen = query.item or place.variant_id
    environments = options("every environment", place.run.environments)
    context = QueuePage(
        address=address or Here(request.url.path, request.url.query),
        place=place,
        picks=[
            ("environment", "Environment", environments, query.environment or ""),
            ("bin", "Difficulty", options("any difficulty", (b.name for b in BROAD)), query.bin or ""),
            ("arm", "Arm", [("", "both arms"), ("main", "this run"), ("baseline", "baseline")], query.arm or ""),
        ],
        query=query,
        item=_item(work, actor, chosen) if chosen else None,
        note=note,
        refused=refused,
    )
    return pages.render(request, "review/page.html", context, block="queue", status=refused.status if refused else 200)


def _item(work: Session, actor: Actor, variant_id: int) -> Item:
    view = service.variant(work, actor, variant_id)
    return Item(
        view=view,
        parts=Parts.of(view.problem),
        base=base_of(view, "", lambda other: service.problem(work, actor, other)),
        panel=queue.panel(work, actor, view.row),
        map=map_of(view.family, variant_id, lambda other: f"/variants/{other}", 470.0),
    )
