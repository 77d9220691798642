"""Starting a run: every setting of the method on one page, from a preset, a run or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app import registry
from app.domain.actor import Role
from app.errors import AppError, InvalidForm, InvalidInput, NotFound
from app.features.runs import form, queries, service
from app.features.runs.form import Field
from app.features.runs.presets import PRESETS
from app.features.runs.schemas import RunConfig, from_yaml, parse, to_yaml
from app.models import SeedSet
from app.web.deps import Member, PagesDep, Work
from app.web.render import Pages, redirect

NAV = None
router = APIRouter()

_CONTROL = frozenset({"csrf", "action", "yaml"})


@dataclass(frozen=True, slots=True)
class EnvironmentFields:
    name: str
    title: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class NewRunPage:
    """The context of run_new/page.html: values as typed, errors at their fields."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    chosen: Sequence[str]
    presets: Sequence[str]
    seed_sets: Sequence[SeedSet]
    environments: Sequence[EnvironmentFields]
    engines: Sequence[tuple[str, str]]
    strategies: Sequence[tuple[str, str]]
    teacher: Sequence[Field]
    student: Sequence[Field]
    refinement: Sequence[Field]
    yaml: str
    size: str


async def _read_form(request: Request) -> FormData:
    return await request.form()


Form = Annotated[FormData, Depends(_read_form)]


@router.get("/runs/new")
def new_run(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    start: Annotated[str, Query(alias="from", max_length=100)] = "",
) -> Response:
    """`from` is a preset's name or a run's number."""
    values, chosen = _starting_point(work, member.workspace_id, start)
    return _page(request, pages, queries.seed_sets(work, member.workspace_id), values, chosen)


@router.post("/runs/new")
def start_run(request: Request, work: Work, member: Member, pages: PagesDep, typed: Form) -> Response:
    """`action` is launch, update (show the options of the chosen engines), yaml (write it) or load (read it)."""
    member.require(Role.MEMBER)
    pairs = [(k, v) for k, v in typed.multi_items() if k not in _CONTROL and isinstance(v, str)]
    values, chosen = dict(pairs), [v for k, v in pairs if k == "environments"]
    action, text = str(typed.get("action", "launch")), str(typed.get("yaml", ""))
    sets = queries.seed_sets(work, member.workspace_id)
    if action == "update":
        return _page(request, pages, sets, values, chosen, yaml=text)
    try:
        if action == "load":
            config = from_yaml(text)
            return _page(request, pages, sets, form.values_of(config.model_dump(mode="json")), config.environments)
        config = parse(form.to_data(pairs))
        if action == "yaml":
            return _page(request, pages, sets, values, chosen, yaml=to_yaml(config), config=config)
        run = service.create(work, member, config)
    except InvalidForm as error:
        return _page(request, pages, sets, values, chosen, error.errors, yaml=text)
    except InvalidInput as error:
        return _page(request, pages, sets, values, chosen, {error.field or "config": _said(error)}, yaml=text)
    return redirect(f"/runs/{run.id}", flash="The run has started.")


def _said(error: AppError) -> str:
    return f"{error.message} {error.remedy}".strip()


def _starting_point(work: Work, workspace_id: int, start: str) -> tuple[dict[str, str], list[str]]:
    if start.isdecimal() and len(start) < 19:
        run = queries.run(work, workspace_id, int(start))
        if run is None:
            raise NotFound("There is no such run to start from.")
        config = service.config_of(run)
        return form.values_of(config.model_dump(mode="json") | {"name": ""}), config.environments
    name = start or "paper"
    if name not in PRESETS:
        raise InvalidInput(f"There is no preset {name!r}.", field="from", remedy=f"Known: {', '.join(PRESETS)}.")
    return form.values_of(PRESETS[name]), list(registry.environments())


def _page(
    request: Request,
    pages: Pages,
    seed_sets: Sequence[SeedSet],
    values: Mapping[str, str],
    chosen: Sequence[str],
    errors: Mapping[str, str] | None = None,
    *,
    yaml: str = "",
    config: RunConfig | None = None,
) -> Response:
    found = errors or {}
    teacher = values.get("teacher.engine", "procedural")
    student = values.get("student.engine", "procedural")
    context = NewRunPage(
        values=values,
        errors=found,
        chosen=chosen,
        presets=list(PRESETS),
        seed_sets=seed_sets,
        environments=[
            EnvironmentFields(name, env.title, form.fields(env.Options, f"environment_options.{name}.", values, found))
            for name, env in registry.environments().items()
        ],
        engines=[(name, engine.title) for name, engine in registry.engines().items()],
        strategies=[(name, found_strategy.title) for name, found_strategy in registry.strategies().items()],
        teacher=form.engine_fields("teacher", teacher, values, found),
        student=form.engine_fields("student", student, values, found),
        refinement=form.refinement_fields(values, found),
        yaml=yaml,
        size=_size(config, seed_sets),
    )
    return pages.render(request, "run_new/page.html", context, block="form", status=422 if found else 200)


def _size(config: RunConfig | None, seed_sets: Sequence[SeedSet]) -> str:
    """What the run would ask of the models, before it is launched."""
    if config is None:
        return ""
    available = next((s.seed_count for s in seed_sets if s.name == config.seeds.set), 0)
    seeds = min(config.seeds.count or available, max(0, available - config.seeds.skip))
    arms = 2 if config.baseline and config.strategy != "single_turn" else 1
    calls = seeds * len(config.environments) * config.turns * config.branching * arms
    return (
        f"{seeds * len(config.environments) * arms:,} chains, up to {calls:,} teacher calls "
        f"and {calls * config.attempts:,} student attempts"
    )
