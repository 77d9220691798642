"""Benchmark sets: the list, one set with its items, import and deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from app.config import settings
from app.db import Session
from app.domain.actor import Actor
from app.errors import InvalidInput, NotFound
from app.features.benchmarks import queries, service
from app.features.benchmarks.schemas import MAX_ITEMS, ItemRow, SetRow
from app.web.deps import BIGGEST_ID, Id, Member, PagesDep, Work
from app.web.filters import plural
from app.web.navigation import NavItem
from app.web.render import redirect

NAV = NavItem("Benchmarks", "/benchmarks", key="b", order=6)
router = APIRouter()

ITEMS_PER_PAGE = 10  # their texts weigh: a page is to stay under 80 kB
SHOWN = 3_000  # characters of a text or of code


@dataclass(frozen=True, slots=True)
class SetsPage:
    """The context of benchmarks/page.html."""

    sets: Sequence[SetRow]


@dataclass(frozen=True, slots=True)
class SetPage:
    """The context of benchmarks/set.html: `first` to `last` of the set, numbered from 1."""

    set: SetRow
    items: Sequence[ItemRow]
    first: int
    previous: int | None
    next: int | None
    error: str = ""
    shown: int = SHOWN


@dataclass(frozen=True, slots=True)
class ImportPage:
    """The context of benchmarks/import.html, with what was typed and what is wrong with it."""

    name: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    max_mb: int = 0


@router.get("/benchmarks")
def sets(request: Request, work: Work, member: Member, pages: PagesDep) -> Response:
    return pages.render(request, "benchmarks/page.html", SetsPage(queries.sets(work, member.workspace_id)))


@router.get("/benchmarks/new")
def new(request: Request, member: Member, pages: PagesDep) -> Response:  # noqa: ARG001 - for members only
    return pages.render(request, "benchmarks/import.html", ImportPage(max_mb=settings().max_upload_mb))


@router.post("/benchmarks/new")
def take(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    name: Annotated[str, Form()] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    try:
        if file is None or not file.filename:
            raise InvalidInput("Choose a file.", field="file")
        report = service.import_file(work, member, file.file, file.filename, name)
    except InvalidInput as error:
        errors = {error.field or "file": f"{error.message} {error.remedy}".strip()}
        page = ImportPage(name, errors, settings().max_upload_mb)
        return pages.render(request, "benchmarks/import.html", page, status=error.status)
    short = f" Too short to be recognised: {report.short:,}." if report.short else ""
    return redirect(
        f"/benchmarks/{report.benchmark_set_id}",
        flash=f"Imported {plural(report.added, 'item')}.{short} Runs that begin now are compared with this set.",
    )


@router.get("/benchmarks/{benchmark_set_id}")
def one(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    benchmark_set_id: Id,
    page: Annotated[int, Query(ge=1, le=MAX_ITEMS)] = 1,
) -> Response:
    return pages.render(request, "benchmarks/set.html", _page(work, member, benchmark_set_id, page), block="items")


@router.get("/benchmarks/{benchmark_set_id}/{item_id}")
def item(
    work: Work, member: Member, benchmark_set_id: Id, item_id: Annotated[int, Path(ge=1, le=BIGGEST_ID)]
) -> Response:
    """To the page of the set where this item stands."""
    position = queries.position_of(work, member.workspace_id, benchmark_set_id, item_id)
    if position is None:
        raise NotFound("There is no such item.")
    page = position // ITEMS_PER_PAGE + 1
    return RedirectResponse(f"/benchmarks/{benchmark_set_id}?page={page}#item-{position + 1}", 303)


@router.post("/benchmarks/{benchmark_set_id}/delete")
def delete(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    benchmark_set_id: Id,
    confirm: Annotated[str, Form()] = "",
) -> Response:
    try:
        name = service.delete_set(work, member, benchmark_set_id, confirm)
    except InvalidInput as error:
        context = _page(work, member, benchmark_set_id, 1, str(error))
        return pages.render(request, "benchmarks/set.html", context, status=error.status)
    return redirect("/benchmarks", flash=f"Deleted {name}. No variant is marked with it any more.")


def _page(work: Session, member: Actor, set_id: int, page: int, error: str = "") -> SetPage:
    found = service.benchmark_set(work, member, set_id)
    before = (page - 1) * ITEMS_PER_PAGE
    rows = queries.items(work, member.workspace_id, set_id, after=before - 1, limit=ITEMS_PER_PAGE + 1)
    return SetPage(
        set=found,
        items=rows[:ITEMS_PER_PAGE],
        first=before + 1,
        previous=page - 1 if page > 1 else None,
        next=page + 1 if len(rows) > ITEMS_PER_PAGE else None,
        error=error,
    )
