"""The trees of a run: a grid served in pages, and beside it whatever is chosen there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from app.db import Session
from app.domain.actor import Actor
from app.domain.difficulty import BROAD
from app.errors import AppError, NotFound
from app.features.chains import grid, service
from app.features.chains.filters import TreeQuery
from app.features.chains.schemas import ChainRow, FilterChoices, SeedView, Tree, VariantRow, VariantView
from app.features.review import queue
from app.features.review.schemas import REASONS, Panel
from app.features.runs import feed, queries
from app.features.runs.ends import chain_end
from app.features.runs.service import config_of
from app.web.charts import DifficultyMap
from app.web.deps import Id, Member, PagesDep, Work
from app.web.picks import Pick, options
from app.web.render import Here, Pages, redirect
from app.web.review import Refused, ReviewForm, act
from app.web.variants import Base, Parts, base_of, map_of

NAV = None
router = APIRouter()
_MAP_WIDTH = 470.0


@dataclass(frozen=True, slots=True)
class ChainDetail:
    """A chosen chain; `end` says why it is over."""

    chain: ChainRow
    end: str
    family: Sequence[VariantRow]
    seed: SeedView
    map: DifficultyMap


@dataclass(frozen=True, slots=True)
class VariantDetail:
    """A chosen variant; `base` is what its code is compared with."""

    view: VariantView
    parts: Parts
    base: Base | None
    panel: Panel
    map: DifficultyMap


@dataclass(frozen=True, slots=True)
class TreePage:
    """The context of tree/page.html. `part` is the block that htmx asks for; what the other one shows is left out.

    `cursor` is the run's last event before the rest was read, so that the page's stream goes on from there.
    """

    tree: Tree | None
    cursor: int
    picks: Sequence[Pick]
    kept: Sequence[tuple[str, str]]
    extra: Sequence[tuple[str, str]]
    chosen: str
    detail: VariantDetail | None
    chain: ChainDetail | None
    part: str | None
    note: str
    refused: Refused | None
    reasons: Mapping[str, str] = field(default_factory=lambda: REASONS)


Wanted = Annotated[TreeQuery, Query()]


@router.get("/runs/{run_id}/tree")
def tree(request: Request, work: Work, member: Member, pages: PagesDep, run_id: Id, query: Wanted) -> Response:
    return _render(request, work, member, pages, run_id, query)


@router.post("/runs/{run_id}/tree")
def decide(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    run_id: Id,
    query: Wanted,
    form: Annotated[ReviewForm, Form()],
) -> Response:
    try:
        outcome = act(work, member, form)
    except AppError as error:
        refused = Refused.of(error, form)
        return _render(request, work, member, pages, run_id, query, refused=refused)
    if _part(request):
        return _render(request, work, member, pages, run_id, query, note=outcome.message)
    return redirect(f"{request.url.path}?{request.url.query}", flash=outcome.message)


def _render(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    run_id: int,
    query: TreeQuery,
    *,
    note: str = "",
    refused: Refused | None = None,
) -> Response:
    part = _part(request)
    cursor = feed.newest_event(work, actor.workspace_id, run_id)
    page = grid.tree(work, actor, run_id, query) if part != "detail" else None
    kind, node = query.chosen
    if not kind and page and page.rows:
        kind, node = "c", page.rows[0].chain.id
    context = TreePage(
        tree=page,
        cursor=cursor,
        picks=_picks(query, grid.choices(work, page.run)) if page and not part else [],
        kept=[("fold", "true")] if query.fold else [],
        extra=_extra(query),
        chosen=f"{kind}{node}",
        detail=_variant(work, actor, request, run_id, node) if kind == "v" and part != "grid" else None,
        chain=_chain(work, actor, request, run_id, node) if kind == "c" and part != "grid" else None,
        part=part,
        note=note,
        refused=refused,
    )
    return pages.render(request, "tree/page.html", context, block=part, status=refused.status if refused else 200)


def _part(request: Request) -> str | None:
    """Which part of the page htmx asks for."""
    asked = request.headers.get("HX-Target", "").partition("#")[2]
    return asked if asked in ("grid", "detail") else None


def _variant(work: Session, actor: Actor, request: Request, run_id: int, variant_id: int) -> VariantDetail:
    view = service.variant(work, actor, variant_id)
    if view.run.id != run_id:
        raise NotFound(f"Variant {variant_id} is of run {view.run.id}.")
    return VariantDetail(
        view=view,
        parts=Parts.of(view.problem),
        base=base_of(view, "", lambda other: service.problem(work, actor, other)),
        panel=queue.panel(work, actor, view.row),
        map=map_of(view.family, variant_id, _choosing(request), _MAP_WIDTH),
    )


def _chain(work: Session, actor: Actor, request: Request, run_id: int, chain_id: int) -> ChainDetail:
    chain, family = service.chain(work, actor, chain_id)
    if chain.run_id != run_id:
        raise NotFound(f"Chain {chain_id} is of run {chain.run_id}.")
    run = queries.run(work, actor.workspace_id, run_id)
    return ChainDetail(
        chain=chain,
        end=chain_end(chain.stop_reason, config_of(run)) if run and chain.stop_reason else "",
        family=family,
        seed=service.seed_of(work, actor, chain_id),
        map=map_of(family, None, _choosing(request), _MAP_WIDTH),
    )


def _choosing(request: Request) -> Callable[[int], str]:
    here = Here(request.url.path, request.url.query)
    return lambda variant_id: here(node=variant_id)


def _picks(query: TreeQuery, choices: FilterChoices) -> list[Pick]:
    usable, asked = ("" if set_ is None else str(set_).lower() for set_ in (query.usable, query.asked))
    return [
        ("environment", "Environment", options("every environment", choices.environments), query.environment or ""),
        ("bin", "Difficulty", options("any difficulty", (b.name for b in BROAD)), query.bin or ""),
        (
            "invalid",
            "Validity",
            [("", "valid or not"), ("none", "valid"), ("any", "invalid"), *options("", choices.codes)[1:]],
            query.invalid or "",
        ),
        ("review", "Review", options("any review", ("waiting", "approved", "rejected")), query.review or ""),
        ("usable", "Usable", [("", "usable or not"), ("true", "usable"), ("false", "not usable")], usable),
        ("repeats", "Copies", _COPIES, query.repeats or ""),
        ("asked", "Asked for", [("", "asked for or not"), ("true", "on request"), ("false", "by the run")], asked),
        ("arm", "Arm", [("", "both arms"), ("main", "this run"), ("baseline", "baseline")], query.arm or ""),
        ("sort", "Order of chains", _SORTS, "" if query.sort == "position" else query.sort),
    ]


_COPIES = [
    ("", "copies or not"),
    ("duplicate", "duplicates"),
    ("similar", "similar ones"),
    ("known", "similar to an older run"),
    ("benchmark", "in a benchmark"),
]
_SORTS = [
    ("", "in order"),
    ("-position", "last first"),
    ("-usable", "most usable first"),
    ("usable", "fewest usable first"),
    ("-bins", "most bins first"),
    ("bins", "fewest bins first"),
]


def _extra(query: TreeQuery) -> list[tuple[str, str]]:
    """Filters that other pages link to and that have no control here: name and text, to be shown and cleared."""
    told = {"chain": "chain {}", "turn": "turn {}", "rate_min": "rate from {:g}", "rate_max": "rate below {:g}"}
    told |= {"state": "chains {}", "stop": "ended: {}", "trouble": "met {}"}
    return [(name, text.format(query.active[name])) for name, text in told.items() if name in query.active]
