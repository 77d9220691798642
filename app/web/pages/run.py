"""One run, live: how far it is, what it yields, what went wrong; pause, resume, cancel, archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app import registry
from app.domain.difficulty import wilson
from app.errors import NotFound
from app.features.runs import feed, queries, service
from app.features.runs.schemas import RunConfig, to_yaml
from app.features.runs.summary import BINS, ArmSummary, RunSummary, summarise
from app.models import Chain, ModelProfile, Run, Seed
from app.web import charts
from app.web.charts import Histogram, Stack, YieldChart
from app.web.deps import Id, Member, PagesDep, Work
from app.web.render import redirect

NAV = None
router = APIRouter()


@dataclass(frozen=True, slots=True)
class RunPage:
    """The context of run/page.html."""

    run: Run
    config: RunConfig
    summary: RunSummary
    arms: Sequence[tuple[str, ArmSummary, tuple[float, float]]]
    bins: Sequence[str]
    environments: dict[str, str]
    strategy: str
    teacher: ModelProfile
    student: ModelProfile
    newest: Sequence[tuple[Chain, Seed, int]]
    stop_reasons: Sequence[tuple[str, str, int]]
    invalid: Stack
    yields: YieldChart
    rates: Histogram
    remaining_s: float | None
    cursor: int


@router.get("/runs/{run_id:int}")
def run_page(request: Request, work: Work, member: Member, pages: PagesDep, run_id: Id) -> Response:
    run = _found(work, member.workspace_id, run_id)
    cursor = feed.newest_event(work, member.workspace_id, run.id)  # before the figures, so that none is missed
    summary = summarise(work, run)
    config = service.config_of(run)
    arms = [("This run", summary.main), *([("Single-turn baseline", summary.baseline)] if summary.baseline else [])]
    context = RunPage(
        run=run,
        config=config,
        summary=summary,
        arms=[(name, arm, wilson(arm.usable, arm.proposals)) for name, arm in arms],
        bins=BINS,
        environments={name: env.title for name, env in registry.environments().items()},
        strategy=registry.strategy(config.strategy).title,
        teacher=queries.profile(work, run.teacher_profile_id),
        student=queries.profile(work, run.student_profile_id),
        newest=queries.newest_chains(work, run.id),
        stop_reasons=queries.stop_reasons(work, run.id),
        invalid=charts.stack(
            (code.replace("_", " "), n, f"/runs/{run.id}/tree?invalid={code}")
            for code, n in summary.main.invalid.items()
        ),
        yields=charts.yield_by_turn(_by_turn(run.id, summary.main), _by_turn(run.id, summary.baseline)),
        rates=charts.histogram(
            queries.rate_counts(work, run.id, "main"),
            lambda low, high: f"/runs/{run.id}/tree?rate_min={low:g}&rate_max={high:g}",
        ),
        remaining_s=_remaining(summary),
        cursor=cursor,
    )
    return pages.render(request, "run/page.html", context, block="figures")


def _by_turn(run_id: int, arm: ArmSummary | None) -> list[tuple[int, int, str]]:
    if arm is None:
        return []
    return [(usable, calls, f"/runs/{run_id:int}/tree?turn={turn}") for turn, (usable, calls) in arm.usable_by_turn.items()]


def _remaining(summary: RunSummary) -> float | None:
    """Seconds left at the pace so far; None until a tenth is done, before which it would be a guess."""
    if summary.state != "running" or not 0.1 <= summary.progress < 1:
        return None
    return summary.seconds * (1 - summary.progress) / summary.progress


@router.get("/runs/{run_id:int}/config.yaml")
def run_yaml(work: Work, member: Member, run_id: Id) -> Response:
    run = _found(work, member.workspace_id, run_id)
    return Response(
        to_yaml(service.config_of(run)),
        media_type="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="run-{run.id}.yaml"'},
    )


@router.post("/runs/{run_id:int}/state")
def change_state(
    work: Work,
    member: Member,
    run_id: Id,
    action: Annotated[Literal["pause", "resume", "cancel", "archive", "restore"], Form()],
) -> Response:
    if action in ("archive", "restore"):
        service.archive(work, member, run_id, archived=action == "archive")
    else:
        {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}[action](work, member, run_id)
    said = {
        "pause": "Pausing: chains stop at their next stage, and nothing is lost.",
        "resume": "The run goes on.",
        "cancel": "Cancelled. What was measured stays.",
        "archive": "Archived.",
        "restore": "Back in the list.",
    }
    return redirect(f"/runs/{run_id:int}", flash=said[action])


def _found(work: Work, workspace_id: int, run_id: int) -> Run:
    run = queries.run(work, workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.", remedy="It may belong to another workspace.")
    return run
