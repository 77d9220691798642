"""Curricula: the list, a new one, and a version from its live draft to its frozen files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app import registry
from app.config import settings
from app.db import Session
from app.domain.actor import Actor
from app.domain.difficulty import Tally
from app.domain.export_row import ExportRow
from app.errors import Conflict, InvalidForm, InvalidInput
from app.features.curricula import overview, queries, service
from app.features.curricula.overview import Overview
from app.features.curricula.queries import CurriculumRow, VersionRow
from app.features.curricula.schemas import Selection
from app.models import CurriculumVersion
from app.web.charts import Histogram, histogram
from app.web.deps import BIGGEST_ID, Id, Member, Number, PagesDep, Work
from app.web.navigation import NavItem
from app.web.render import Pages, redirect, wants_fragment
from app.web.selection_form import Options, SelectionForm, at_fields, options_of

NAV = NavItem("Curricula", "/curricula", key="c", order=4)
router = APIRouter()

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class CurriculaPage:
    """The context of curricula/page.html. `older` is the id to go on from."""

    curricula: Sequence[CurriculumRow]
    older: int | None


@dataclass(frozen=True, slots=True)
class NewPage:
    """The context of curricula/new.html, with what was typed and what is wrong with it."""

    values: SelectionForm
    options: Options
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row as it is, or would be, exported."""

    row: ExportRow
    tally: Tally


@dataclass(frozen=True, slots=True)
class VersionPage:
    """The context of curricula/version.html. A draft has neither `manifest` nor `address`, where its files are."""

    id: int
    name: str
    version: VersionRow
    versions: Sequence[VersionRow]
    values: SelectionForm
    options: Options
    found: Overview
    rates: Histogram
    preview: Sequence[PreviewRow]
    first_row: str
    environments: Mapping[str, str]
    manifest: Mapping[str, Any]
    address: str
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@router.get("/curricula")
def curricula(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
) -> Response:
    rows = queries.curricula(work, member.workspace_id, before, PER_PAGE + 1)
    older = rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None
    return pages.render(request, "curricula/page.html", CurriculaPage(rows[:PER_PAGE], older), block="rows")


@router.get("/curricula/new")
def new(
    request: Request, work: Work, member: Member, pages: PagesDep, run: Annotated[list[int] | None, Query()] = None
) -> Response:
    """`?run=7` starts with that run chosen."""
    values = SelectionForm.of(Selection(runs=run or []))
    return pages.render(request, "curricula/new.html", NewPage(values, options_of(work, member, values)))


@router.post("/curricula/new")
def create(
    request: Request, work: Work, member: Member, pages: PagesDep, values: Annotated[SelectionForm, Form()]
) -> Response:
    try:
        made = service.create(work, member, values.name, values.selection())
    except InvalidInput as error:
        page = NewPage(values, options_of(work, member, values), at_fields(error))
        return pages.render(request, "curricula/new.html", page, status=error.status)
    return redirect(f"/curricula/{made.id}/v1", flash=f"Made the curriculum {made.name}.")


@router.get("/curricula/{curriculum_id}")
def newest(work: Work, member: Member, curriculum_id: Id) -> Response:
    version = service.find_version(work, member, curriculum_id)
    return RedirectResponse(f"/curricula/{curriculum_id}/v{version.number}", 303)


@router.get("/curricula/{curriculum_id}/v{number}")
def show(request: Request, work: Work, member: Member, pages: PagesDep, curriculum_id: Id, number: Number) -> Response:
    return _show(request, work, member, pages, service.find_version(work, member, curriculum_id, number))


@router.post("/curricula/{curriculum_id}/v{number}")
def save(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    curriculum_id: Id,
    number: Number,
    values: Annotated[SelectionForm, Form()],
) -> Response:
    """Keeps the draft's selection; htmx gets what it gives at once."""
    try:
        version = service.save_selection(work, member, curriculum_id, number, values.selection())
    except InvalidForm as error:
        version = service.find_version(work, member, curriculum_id, number)
        return _show(request, work, member, pages, version, values=values, errors=at_fields(error))
    if wants_fragment(request):
        work.flush()
        return _show(request, work, member, pages, version)
    return redirect(f"/curricula/{curriculum_id}/v{number}", flash="Saved the selection.")


@router.post("/curricula/{curriculum_id}/v{number}/freeze")
def freeze(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    curriculum_id: Id,
    number: Number,
    seen: Annotated[str, Form()],
) -> Response:
    try:
        version = service.freeze(work, member, curriculum_id, number, seen=seen)
    except Conflict as error:
        version = service.find_version(work, member, curriculum_id, number)
        return _show(request, work, member, pages, version, problem=str(error.message) + f" {error.remedy}".rstrip())
    return redirect(
        f"/curricula/{curriculum_id}/v{number}", flash=f"Froze version {number}: {(version.content_hash or '')[:12]}."
    )


@router.post("/curricula/{curriculum_id}/next")
def start_version(work: Work, member: Member, curriculum_id: Id) -> Response:
    version = service.new_version(work, member, curriculum_id)
    return redirect(f"/curricula/{curriculum_id}/v{version.number}", flash=f"Version {version.number} is a draft.")


def _show(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    version: CurriculumVersion,
    *,
    values: SelectionForm | None = None,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
) -> Response:
    selection = service.selection_of(version)
    if version.frozen_at is None:
        evaluation = overview.evaluated(work, actor, version)
        found = overview.of_draft(work, actor, version, evaluation)
    else:
        evaluation, found = None, overview.of_frozen(work, actor, version)
    curriculum = service.find(work, actor, version.curriculum_id)
    versions = queries.versions(work, actor.workspace_id, curriculum.id)
    here = f"/curricula/{curriculum.id}/v{version.number}"
    values = values or SelectionForm.of(selection)
    preview = overview.preview(work, actor, version, evaluation)
    manifest = json.loads(version.manifest) if version.manifest else {}
    site = (settings().public_url or str(request.base_url)).rstrip("/")
    page = VersionPage(
        id=curriculum.id,
        name=curriculum.name,
        version=next(row for row in versions if row.number == version.number),
        versions=versions,
        values=values,
        options=options_of(work, actor, values),
        found=found,
        rates=histogram(
            found.rates, lambda low, high: f"{here}/problems?low={low:g}&high={high:g}", bins=selection.bins_of_set[:4]
        ),
        preview=[PreviewRow(row, overview.tally_of(row)) for row in preview],
        first_row=json.dumps(preview[0], indent=2) if preview else "",
        environments={name: environment.title for name, environment in registry.environments().items()},
        manifest=manifest,
        address=f"{site}/api/v1/curricula/{curriculum.id}/revisions/{version.content_hash}" if manifest else "",
        errors=errors or {},
        problem=problem,
    )
    status = 422 if errors else 409 if problem else 200
    return pages.render(request, "curricula/version.html", page, block="found", status=status)
