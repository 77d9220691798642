"""One run, live: how far it is, what it yields, what went wrong; pause, resume, cancel, archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app import registry
from app.domain.actor import Role
from app.errors import NotFound
from app.features.benchmarks import service as benchmarks
from app.features.benchmarks.schemas import Contamination
from app.features.remeasurements import queries as remeasurements
from app.features.remeasurements.schemas import RemeasurementRow, StudentFigures
from app.features.runs import feed, figures, queries, service, usage
from app.features.runs.ends import amount
from app.features.runs.figures import InvalidGroup, Pace
from app.features.runs.schemas import RunConfig, to_yaml
from app.features.runs.summary import BINS, RunSummary, summarise
from app.features.servers import service as servers
from app.features.servers.schemas import Servers
from app.models import ModelProfile, Run
from app.web import charts, run_figures
from app.web.charts import Histogram, Stack, YieldChart
from app.web.deps import Id, Member, PagesDep, Work
from app.web.render import redirect
from app.web.run_figures import Arm, ChainLine, FunnelRow, Meter, StageTable
from app.web.students import told_apart

NAV = None
router = APIRouter()

_SAID = {
    "pause": "Pausing: chains stop at their next stage, and nothing is lost.",
    "resume": "The run goes on.",
    "cancel": "Cancelled. What was measured stays.",
    "archive": "Archived.",
    "restore": "Back in the list.",
}


@dataclass(frozen=True, slots=True)
class RunPage:
    """The context of run/page.html. `cursor` is the last event that these figures know of."""

    run: Run
    cursor: int
    may_change: bool
    config: RunConfig
    summary: RunSummary
    arms: Sequence[Arm]
    meters: Sequence[Meter]
    money: str
    funnels: Sequence[Sequence[FunnelRow]]
    pace: Pace | None
    seconds_left: float | None
    yields: YieldChart
    rates: Histogram
    bins: Sequence[str]
    environments: dict[str, str]
    newest: Sequence[ChainLine]
    stages: Sequence[StageTable]
    invalid: Stack
    invalid_examples: Sequence[InvalidGroup]
    contamination: Contamination
    strategy: str
    teacher: ModelProfile
    student: ModelProfile
    students: Sequence[StudentFigures]
    names: Mapping[int, str]
    remeasurements: Sequence[RemeasurementRow]
    servers: Servers | None


@router.get("/runs/{run_id:int}")
def run_page(request: Request, work: Work, member: Member, pages: PagesDep, run_id: Id) -> Response:
    run = _found(work, member.workspace_id, run_id)
    cursor = feed.newest_event(work, member.workspace_id, run.id)  # before the figures, so that none is missed
    summary, config = summarise(work, run), service.config_of(run)
    pace = figures.pace(work, run) if run.state == "running" else None
    students = remeasurements.students_of_run(work, run.id)
    arms, asked = run_figures.arms_of(summary), summary.asked.requests > 0
    context = RunPage(
        run=run,
        cursor=cursor,
        may_change=member.role is not Role.VIEWER,
        config=config,
        summary=summary,
        arms=arms,
        meters=run_figures.meters(summary),
        money="" if summary.spent.money is None else amount("money", summary.spent.money, summary.spent.currency),
        funnels=run_figures.funnels(run.id, arms, asked),
        pace=pace,
        seconds_left=run_figures.seconds_left(summary, config, pace) if pace else None,
        yields=run_figures.yield_chart(run.id, arms, asked),
        rates=run_figures.rate_chart(run.id, figures.rate_counts(work, run.id, "main"), asked),
        bins=BINS,
        environments={name: environment.title for name, environment in registry.environments().items()},
        newest=[run_figures.chain_line(chain, config) for chain in figures.newest_chains(work, run.id)],
        stages=run_figures.stage_tables(usage.of_run(work, run.id)),
        invalid=charts.stack(
            (
                code.replace("_", " "),
                count,
                f"/runs/{run.id}/tree?arm=main&invalid={code}{'&asked=false' if asked else ''}",
            )
            for code, count in summary.main.invalid.items()
        ),
        invalid_examples=[group for group in figures.invalid_groups(work, run.id) if group.arm == "main"],
        contamination=benchmarks.contamination(work, member, run.id),
        strategy=registry.strategy(config.strategy).title,
        teacher=queries.profile(work, run.teacher_profile_id),
        student=queries.profile(work, run.student_profile_id),
        students=students if len(students) > 1 else [],
        names=told_apart(each.student for each in students),
        remeasurements=remeasurements.of_run(work, member.workspace_id, run.id) if len(students) > 1 else [],
        servers=servers.in_use(work, member, run.id) if run.state == "running" else None,
    )
    return pages.render(request, "run/page.html", context, block="live")


@router.post("/runs/{run_id:int}/whole")
def start_whole(work: Work, member: Member, run_id: Id) -> Response:
    """Starts the run that a preview stands for."""
    run = service.create_previewed(work, member, run_id)
    return redirect(f"/runs/{run.id}", flash="The whole run has started.")


@router.get("/runs/{run_id:int}/config.yaml")
def run_yaml(work: Work, member: Member, run_id: Id) -> Response:
    run = _found(work, member.workspace_id, run_id)
    return Response(
        to_yaml(service.config_of(run)),
        media_type="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="run-{run.id}.yaml"'},
    )


@router.post("/runs/{run_id:int}/check")
def check_again(work: Work, member: Member, run_id: Id) -> Response:
    benchmarks.check_again(work, member, run_id)
    return redirect(f"/runs/{run_id}", flash="All variants are compared again, with every benchmark set.")


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
    return redirect(f"/runs/{run_id}", flash=_SAID[action])


def _found(work: Work, workspace_id: int, run_id: int) -> Run:
    run = queries.run(work, workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.", remedy="It may belong to another workspace.")
    return run
