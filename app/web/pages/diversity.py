"""How diverse what a run has grown is, beside its single-turn baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import registry
from app.errors import NotFound
from app.features.diversity import service
from app.features.diversity.schemas import Diversity, SyntaxSpread, comparisons
from app.features.runs import queries
from app.models import Run
from app.web import charts
from app.web.charts import Accumulation
from app.web.deps import Id, Member, PagesDep, Work

NAV = None
router = APIRouter()
_TITLES = {"main": "This run", "baseline": "Single-turn"}


@dataclass(frozen=True, slots=True)
class DiversityPage:
    """The context of diversity/page.html: per row a spread, its arm's title, and among how many clusters count."""

    run: Run
    found: Diversity
    chart: Accumulation
    rows: Sequence[tuple[SyntaxSpread, str, int]]
    environments: dict[str, str]


@router.get("/runs/{run_id:int}/diversity")
def diversity(request: Request, work: Work, member: Member, pages: PagesDep, run_id: Id) -> Response:
    run = queries.run(work, member.workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.", remedy="It may belong to another workspace.")
    found = service.diversity(work, member, run_id)
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
        rows=[
            (spread, _TITLES[spread.arm], equal)
            for pair, equal in comparisons([*found.main, *found.baseline])
            for spread in pair
        ],
        environments={name: environment.title for name, environment in registry.environments().items()},
    )
    return pages.render(request, "diversity/page.html", context)
