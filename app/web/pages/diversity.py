"""How diverse what a run has grown is, beside its single-turn baseline: by its syntax, and by a model's vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import registry
from app.db import Session
from app.domain.actor import Actor, Role
from app.domain.embeddings import ALIKE
from app.domain.ports import Embeds
from app.errors import InvalidForm, NotFound
from app.features.diversity import service
from app.features.diversity.schemas import Diversity, S, SyntaxSpread, comparisons
from app.features.embeddings import queries as embedded
from app.features.embeddings import service as embeddings
from app.features.embeddings.schemas import EmbeddingSpread, Pair, Place, RunEmbeddings, parse
from app.features.runs import form, queries
from app.features.runs.form import Field
from app.models import Run
from app.web import charts
from app.web.charts import Accumulation
from app.web.deps import Id, Member, PagesDep, Typed, Work
from app.web.render import Pages, redirect, wants_fragment

NAV = None
router = APIRouter()
_TITLES = {"main": "This run", "baseline": "Single-turn"}


@dataclass(frozen=True, slots=True)
class DiversityPage:
    """The context of diversity/page.html: per row a spread, its arm's title, and among how many clusters count.

    `vectors` are the embeddings of the run, `pairs` the closest by them, with their arm's title. The form that asks for
    them has an `engine`, the fields that it must be given and those that it may be; values as typed, errors at theirs.
    """

    run: Run
    found: Diversity
    chart: Accumulation
    rows: Sequence[tuple[SyntaxSpread, str, int]]
    environments: dict[str, str]
    vectors: RunEmbeddings
    vector_rows: Sequence[tuple[EmbeddingSpread, str, int]]
    pairs: Sequence[tuple[str, Pair, Place, Place]]
    alike: float
    engine: str
    required: Sequence[Field]
    further: Sequence[Field]
    errors: Mapping[str, str]
    may_ask: bool


@router.get("/runs/{run_id:int}/diversity")
def diversity(request: Request, work: Work, member: Member, pages: PagesDep, run_id: Id) -> Response:
    return _page(request, work, member, pages, run_id, None, {})


@router.post("/runs/{run_id:int}/diversity")
def embed(request: Request, work: Work, member: Member, pages: PagesDep, run_id: Id, typed: Typed) -> Response:
    values = {name: value for name, value in typed.multi_items() if name != "csrf" and isinstance(value, str)}
    data = form.to_data(values.items())
    data.pop("environments", None)
    try:
        embeddings.start(work, member, run_id, parse(data))
    except InvalidForm as error:
        return _page(request, work, member, pages, run_id, values, error.errors)
    return redirect(f"/runs/{run_id}/diversity#embeddings", flash="Embedding has started.")


@router.post("/runs/{run_id:int}/diversity/pause")
def pause(work: Work, member: Member, run_id: Id) -> Response:
    embeddings.pause(work, member, run_id)
    return redirect(f"/runs/{run_id}/diversity#embeddings", flash="Embedding is paused.")


def _page(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    run_id: int,
    typed: Mapping[str, str] | None,
    errors: Mapping[str, str],
) -> Response:
    """With the form as typed, or else as it was last sent."""
    run = queries.run(work, actor.workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.", remedy="It may belong to another workspace.")
    # Every two seconds a page asks for the block alone, which has no need of the sketches of all variants.
    block = wants_fragment(request)
    found = Diversity(run_id, [], [], 0) if block else service.diversity(work, actor, run_id)
    vectors = embeddings.embeddings(work, actor, run_id)
    values = typed if typed is not None else form.values_of(vectors.config or {})
    # There is no choice of engines as long as one has embedders.
    engine = next(name for name, known in registry.engines().items() if isinstance(known, Embeds))
    fields = form.engine_fields("embedder", engine, values, errors)
    context = DiversityPage(
        run=run,
        found=found,
        chart=charts.accumulation(
            [
                (
                    _TITLES[spread.arm],
                    spread.curve,
                    f"/runs/{run_id}/tree?arm={spread.arm}&invalid=none&asked=false",
                )
                for spread in (*found.main[:1], *found.baseline[:1])
            ]
        ),
        rows=_rows([*found.main, *found.baseline]),
        environments={name: environment.title for name, environment in registry.environments().items()},
        vectors=vectors,
        vector_rows=_rows(vectors.spreads),
        pairs=_pairs(work, vectors.spreads),
        alike=ALIKE,
        engine=engine,
        required=[field for field in fields if "required" in field.attributes],
        further=[field for field in fields if "required" not in field.attributes],
        errors=errors,
        may_ask=actor.role is not Role.VIEWER,
    )
    return pages.render(request, "diversity/page.html", context, block="embeddings", status=422 if errors else 200)


def _rows(spreads: Sequence[S]) -> list[tuple[S, str, int]]:
    return [(spread, _TITLES[spread.arm], equal) for pair, equal in comparisons(spreads) for spread in pair]


def _pairs(work: Session, spreads: Sequence[EmbeddingSpread]) -> list[tuple[str, Pair, Place, Place]]:
    """Those whose variants are still there."""
    whole = [(_TITLES[spread.arm], pair) for spread in spreads if not spread.environment for pair in spread.pairs]
    places = embedded.places(work, (each for _, pair in whole for each in (pair.first, pair.second)))
    return [
        (title, pair, places[pair.first], places[pair.second])
        for title, pair in whole
        if pair.first in places and pair.second in places
    ]
