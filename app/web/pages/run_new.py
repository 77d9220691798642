"""Starting a run: every setting of the method on one page, from a preset, a run or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from app import registry
from app.domain.actor import Role
from app.domain.difficulty import COMPLETE
from app.errors import InvalidForm, InvalidInput, NotFound
from app.features.runs import form, queries, service
from app.features.runs.form import Field
from app.features.runs.presets import PRESETS
from app.features.runs.previews import SEEDS
from app.features.runs.schemas import RunConfig, from_yaml, parse, to_yaml
from app.features.runs.size import RunSize, size_of
from app.features.runs.summary import BINS
from app.features.seeds.queries import sets
from app.features.seeds.schemas import SetRow
from app.models import Seed
from app.web.deps import Member, PagesDep, Typed, Work
from app.web.render import redirect

NAV = None
router = APIRouter()

_CONTROL = frozenset({"csrf", "action", "yaml", "file"})
_MAX_YAML = 1_000_000  # bytes
_DEFAULT = "paper"
_LISTED = 1_000  # seed sets, the newest


@dataclass(frozen=True, slots=True)
class EnvironmentFields:
    name: str
    title: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class ModelFields:
    """One role: what its engine asks for, and the well-known models that can fill it in."""

    role: str
    fields: Sequence[Field]
    profiles: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class NewRunPage:
    """The context of run_new/page.html: values as typed, errors at their fields. `start` is what it began from."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    chosen: Sequence[str]
    bins: Sequence[tuple[str, str]]
    chosen_bins: Sequence[str]
    start: str
    presets: Sequence[str]
    seed_sets: Sequence[SetRow]
    environments: Sequence[EnvironmentFields]
    engines: Sequence[tuple[str, str]]
    strategies: Sequence[tuple[str, str]]
    models: Sequence[ModelFields]
    refinement: Sequence[Field]
    limits: Sequence[Field]
    size: RunSize | None
    first: Sequence[Seed]
    yaml: str
    note: str


@dataclass(slots=True)
class Draft:
    """What stands in the form, and what is said about it."""

    values: dict[str, str]
    chosen: Sequence[str]
    bins: Sequence[str] = ()
    start: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    yaml: str = ""
    note: str = ""

    @classmethod
    def of(cls, config: RunConfig, *, start: str = "", yaml: str = "", note: str = "") -> Draft:
        values = form.values_of(config.model_dump(mode="json"))
        bins = config.until.bins if config.until else ()
        return cls(values, config.environments, bins, start, yaml=yaml, note=note)

    def pairs(self) -> list[tuple[str, str]]:
        plain = [(k, v) for k, v in self.values.items() if k not in ("environments", "until.bins")]
        lists = (("environments", self.chosen), ("until.bins", self.bins))
        return plain + [(name, value) for name, values in lists for value in values]


async def _with_text_of_file(typed: Typed) -> FormData:
    file = typed.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        return typed
    text = (await file.read(_MAX_YAML + 1)).decode("utf-8", "replace")
    return FormData([*((k, v) for k, v in typed.multi_items() if k != "yaml"), ("yaml", text)])


@router.get("/runs/new")
def new_run(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    start: Annotated[str, Query(alias="from", max_length=100)] = "",
    seed_set: Annotated[str, Query(alias="seeds.set", max_length=200)] = "",
) -> Response:
    """`from` is a preset's name or a run's number; `seeds.set` names the set to choose at first."""
    draft = _starting_point(work, member.workspace_id, start)
    if seed_set:
        draft.values["seeds.set"] = seed_set
    return pages.render(request, "run_new/page.html", _page(work, member.workspace_id, draft), block="form")


@router.post("/runs/new")
def start_run(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    typed: Annotated[FormData, Depends(_with_text_of_file)],
) -> Response:
    """`action` is launch, preview (launch its first seeds alone), update (the fields that what was chosen asks for),
    yaml (write it) or load (read it).
    """
    member.require(Role.MEMBER)
    pairs = [(k, v) for k, v in typed.multi_items() if k not in _CONTROL and isinstance(v, str)]
    action, text = str(typed.get("action", "launch")), str(typed.get("yaml", ""))
    picked: list[str] = []
    draft = Draft(dict(pairs), _all(pairs, "environments"), _all(pairs, "until.bins"), yaml=text)
    try:
        if action == "load":
            draft = Draft.of(_read_yaml(text), yaml=text, note="Read. Nothing has been launched yet.")
        else:
            draft.values, picked = form.fill_in(draft.values)
            draft.note = f"Filled in for {', '.join(picked)}." if picked else ""
        if action == "launch":
            run = service.create(work, member, parse(form.to_data(draft.pairs())))
            return redirect(f"/runs/{run.id}", flash="The run has started.")
        if action == "preview":
            run = service.preview(work, member, parse(form.to_data(draft.pairs())))
            return redirect(f"/runs/{run.id}", flash="The preview has started.")
        if action == "yaml":
            draft.yaml = to_yaml(parse(form.to_data(draft.pairs())))
            draft.note = "Written: see below."
    except InvalidInput as error:
        draft.errors = _at_fields(error)
    status = 422 if draft.errors else 200
    context = _page(work, member.workspace_id, draft)
    answer = pages.render(request, "run_new/page.html", context, block="form", status=status)
    if picked:
        answer.headers["HX-Reswap"] = "outerHTML"  # a morph would leave alone what was typed before
    return answer


def _all(pairs: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [v for k, v in pairs if k == name]


def _at_fields(error: InvalidInput) -> Mapping[str, str]:
    if isinstance(error, InvalidForm):
        return error.errors
    return {error.field or "config": f"{error.message} {error.remedy}".strip()}


def _read_yaml(text: str) -> RunConfig:
    if len(text) > _MAX_YAML:
        raise InvalidInput("This file is too large for the settings of a run.", field="yaml")
    if not text.strip():
        raise InvalidInput("There is nothing to read.", field="yaml", remedy="Choose a file, or paste one.")
    return from_yaml(text)


def _starting_point(work: Work, workspace_id: int, start: str) -> Draft:
    if start.isdecimal() and len(start) < 19:
        run = queries.run(work, workspace_id, int(start))
        if run is None:
            raise NotFound("There is no such run to start from.")
        draft = Draft.of(service.whole_config_of(run), start=f"run {run.id}, {run.name}")
        draft.values["name"] = ""
        return draft
    name = start or _DEFAULT
    if name not in PRESETS:
        raise InvalidInput(f"There is no preset {name!r}.", field="from", remedy=f"Known: {', '.join(PRESETS)}.")
    return Draft(form.values_of(PRESETS[name]), list(registry.environments()), start=name)


def _page(work: Work, workspace_id: int, draft: Draft) -> NewRunPage:
    seed_sets = sets(work, workspace_id, limit=_LISTED)
    if seed_sets:
        draft.values.setdefault("seeds.set", seed_sets[0].name)
    errors = dict(draft.errors)
    size, first = None, []
    try:
        config = parse(form.to_data(draft.pairs()))
        size = size_of(work, workspace_id, config)
        first = queries.first_seeds(work, size.seed_set.id, config.seeds.skip, min(size.seeds, SEEDS))
    except InvalidInput as error:
        # Before a launch, only what was typed is called wrong: what is still empty is not.
        errors = {k: v for k, v in _at_fields(error).items() if draft.values.get(k, "").strip()} | errors
    values = draft.values
    engines = {role: values.get(f"{role}.engine", "procedural") for role in ("teacher", "student")}
    return NewRunPage(
        values=values,
        errors=errors,
        chosen=draft.chosen,
        bins=[(name, name) for name in BINS],
        chosen_bins=draft.bins or sorted(COMPLETE, key=BINS.index),
        start=draft.start,
        presets=list(PRESETS),
        seed_sets=seed_sets,
        environments=[
            EnvironmentFields(name, env.title, form.fields(env.Options, f"environment_options.{name}.", values, errors))
            for name, env in registry.environments().items()
        ],
        engines=[(name, engine.title) for name, engine in registry.engines().items()],
        strategies=[(name, strategy.title) for name, strategy in registry.strategies().items()],
        models=[
            ModelFields(role, form.engine_fields(role, engine, values, errors), form.profiles(role, engine))
            for role, engine in engines.items()
        ],
        refinement=form.refinement_fields(values, errors),
        limits=form.limit_fields(values, errors),
        size=size,
        first=first,
        yaml=draft.yaml,
        note=draft.note,
    )
