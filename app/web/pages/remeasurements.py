"""Measuring variants again: choosing a student, following the work, and the two students side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from app import registry
from app.db import Session
from app.domain.actor import Actor, Role
from app.domain.difficulty import BROAD
from app.errors import AppError, InvalidForm, InvalidInput
from app.features.remeasurements import queries, service
from app.features.remeasurements.schemas import (
    Pair,
    RemeasureConfig,
    RemeasurementRow,
    VariantChoice,
    parse,
)
from app.features.remeasurements.service import Preview
from app.features.runs import form
from app.features.runs.form import Field
from app.messages import by_field
from app.web.charts import Scatter, scatter
from app.web.deps import BIGGEST_ID, Id, Member, PagesDep, Typed, Work
from app.web.render import Pages, local_path, redirect
from app.web.students import told_apart

NAV = None
router = APIRouter()

_PAGE = 50
_SELECTION = ("pick", "run", "revision")
_CONTROL = frozenset({"csrf", "action", *_SELECTION})
_AnId = Annotated[int, Query(ge=1, le=BIGGEST_ID)]
_MaybeId = Annotated[int | None, Query(ge=1, le=BIGGEST_ID)]


@dataclass(frozen=True, slots=True)
class NewPage:
    """The context of remeasurements/new.html: values as typed, errors at their fields."""

    selection: Sequence[tuple[str, str]]
    preview: Preview
    attempts: int | None  # at each variant; None where the form does not say
    environments: Mapping[str, int]
    engines: Sequence[tuple[str, str]]
    student: Sequence[Field]
    settings: Sequence[Field]
    values: Mapping[str, str]
    errors: Mapping[str, str]
    may_ask: bool
    back: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """The context of remeasurements/list.html: `students` by id, and the id that the next page goes on from."""

    rows: Sequence[RemeasurementRow]
    students: Mapping[int, str]
    older: int | None


@dataclass(frozen=True, slots=True)
class OnePage:
    """The context of remeasurements/page.html. `earlier` are the students of the runs that the variants come from.

    `moves`: bin before, bin now -> how many; "" is outside all bins.
    """

    row: RemeasurementRow
    student: str
    earlier: Sequence[str]
    pairs: Sequence[Pair]
    chart: Scatter
    moves: Mapping[tuple[str, str], int]
    bins: Sequence[str]
    set_aside: Sequence[tuple[str, int]]
    may_change: bool
    next: int | None


@router.get("/remeasurements")
def remeasurements(request: Request, work: Work, member: Member, pages: PagesDep, before: _MaybeId = None) -> Response:
    rows = queries.listed(work, member.workspace_id, before, _PAGE + 1)
    older = rows[_PAGE - 1].id if len(rows) > _PAGE else None
    rows = rows[:_PAGE]
    students = told_apart(row.student for row in rows)
    return pages.render(request, "remeasurements/list.html", ListPage(rows, students, older))


@router.get("/remeasurements/new")
def new(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    pick: Annotated[list[_AnId], Query()] = [],  # noqa: B006 - FastAPI copies it
    run: _MaybeId = None,
    revision: Annotated[str, Query(max_length=64)] = "",
    back: str = "",
) -> Response:
    """`back` is where the selection was made."""
    selection = [("pick", str(each)) for each in pick]
    selection += [(name, str(value)) for name, value in (("run", run), ("revision", revision)) if value]
    return _form(request, work, member, pages, selection, {"back": back}, {})


@router.post("/remeasurements/new")
def create(request: Request, work: Work, member: Member, pages: PagesDep, typed: Typed) -> Response:
    """`action` is launch, or update: show the options of the engine that was chosen."""
    pairs = [(name, value) for name, value in typed.multi_items() if isinstance(value, str)]
    selection = [(name, value) for name, value in pairs if name in _SELECTION]
    values = {name: value for name, value in pairs if name not in _CONTROL}
    errors: Mapping[str, str] = {}
    if typed.get("action", "launch") == "launch":
        try:
            row = service.create(work, member, _selection(selection), _config(values))
            return redirect(f"/remeasurements/{row.id}", flash="Measuring has started.")
        except InvalidInput as error:
            errors = _at_fields(error)
    return _form(request, work, member, pages, selection, values, errors)


@router.get("/remeasurements/{remeasurement_id}")
def remeasurement(
    request: Request, work: Work, member: Member, pages: PagesDep, remeasurement_id: Id, after: _MaybeId = None
) -> Response:
    row = service.find(work, member, remeasurement_id)
    pairs = queries.pairs(work, row.id, row.student.id, after or 0, queries.PAIRS + 1)
    rates = queries.rate_pairs(work, row.id, row.student.id)
    earlier = queries.earlier_students(work, row.id)
    names = told_apart([row.student, *earlier])
    context = OnePage(
        row=row,
        student=names[row.student.id],
        earlier=[names[each.id] for each in earlier],
        pairs=pairs[: queries.PAIRS],
        chart=scatter(rates),
        moves=queries.moves(rates),
        bins=[bin_.name for bin_ in BROAD],
        set_aside=queries.set_aside(work, row.id),
        may_change=member.role is not Role.VIEWER,
        next=pairs[queries.PAIRS - 1].variant_id if len(pairs) > queries.PAIRS else None,
    )
    return pages.render(request, "remeasurements/page.html", context, block="live")


@router.post("/remeasurements/{remeasurement_id}/state")
def change(
    work: Work,
    member: Member,
    remeasurement_id: Id,
    action: Annotated[Literal["pause", "resume", "cancel"], Form()],
) -> Response:
    row = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}[action](
        work, member, remeasurement_id
    )
    return redirect(f"/remeasurements/{row.id}", flash=f"It is {row.state} now.")


def _form(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    selection: Sequence[tuple[str, str]],
    values: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:
    if not selection:
        raise InvalidInput(
            "Nothing is selected.", field="pick", remedy="Select variants in a tree, or choose a run's usable ones."
        )
    config, status = None, 422 if errors else 200
    try:
        config = _config(values)
    except InvalidForm as error:
        errors = {**{name: text for name, text in error.errors.items() if values.get(name, "").strip()}, **errors}
    found = service.preview(work, actor, _selection(selection), config)
    engine = values.get("student.engine", "procedural")
    counts: dict[str, int] = {}
    for each in found.ready:
        counts[each.environment] = counts.get(each.environment, 0) + 1
    context = NewPage(
        selection=selection,
        preview=found,
        attempts=config.attempts if config else None,
        environments={registry.environment(name).title: count for name, count in counts.items()},
        engines=[(name, known.title) for name, known in registry.engines().items()],
        student=form.engine_fields("student", engine, values, errors),
        settings=form.fields(RemeasureConfig, "", values, errors),
        values=values,
        errors=errors,
        may_ask=actor.role is not Role.VIEWER,
        back=local_path(values.get("back", ""), "/remeasurements"),
    )
    return pages.render(request, "remeasurements/new.html", context, block="form", status=status)


def _selection(chosen: Sequence[tuple[str, str]]) -> VariantChoice:
    """Raises InvalidForm."""
    data: dict[str, object] = {name: value for name, value in chosen if name != "pick"}
    picked = [value for name, value in chosen if name == "pick"]
    try:
        return VariantChoice.model_validate(data | ({"variants": picked} if picked else {}))
    except ValidationError as error:
        raise InvalidForm(by_field(error, "selection")) from error


def _config(values: Mapping[str, str]) -> RemeasureConfig:
    """Raises InvalidForm."""
    data = form.to_data((name, value) for name, value in values.items() if name != "back")
    data.pop("environments", None)
    return parse(data)


def _at_fields(error: AppError) -> Mapping[str, str]:
    if isinstance(error, InvalidForm):
        return error.errors
    field = error.field if isinstance(error, InvalidInput) and error.field else "variants"
    return {field: f"{error.message} {error.remedy}".strip()}
