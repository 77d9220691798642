"""Seed sets: the list, one set with its seeds, import and deletion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from app.config import settings
from app.db import Session
from app.domain.actor import Actor
from app.errors import AppError, InvalidForm, InvalidInput, NotFound
from app.features.seeds import queries, service
from app.features.seeds.formats import ACCEPTED
from app.features.seeds.reading.sources import SUFFIXES
from app.features.seeds.schemas import (
    MAX_SNIPPETS_PER_FILE,
    NO_LICENCE,
    Format,
    ImportOptions,
    ImportReport,
    SeedFilter,
    SeedRow,
    SetPart,
    SetRow,
)
from app.messages import by_field
from app.web.deps import BIGGEST_ID, Id, Member, PagesDep, Work
from app.web.filters import plural
from app.web.navigation import NavItem
from app.web.render import redirect

NAV = NavItem("Seeds", "/seeds", key="s", order=5)
router = APIRouter()

SETS_PER_PAGE = 50
SEEDS_PER_PAGE = 10  # their code weighs: a page is to stay under 80 kB
Pasted = Literal["text", "jsonl"]


@dataclass(frozen=True, slots=True)
class SetsPage:
    """The context of seeds/page.html. `older` is the id to go on from."""

    sets: Sequence[SetRow]
    older: int | None


@dataclass(frozen=True, slots=True)
class SetPage:
    """The context of seeds/set.html: `first` to `last` of the set, numbered from 1."""

    set: SetRow
    parts: Sequence[SetPart]
    kinds: Sequence[tuple[str, str]]
    languages: Sequence[tuple[str, str]]
    licences: Sequence[tuple[str, str]]
    chosen: SeedFilter
    seeds: Sequence[SeedRow]
    first: int
    total: int | None
    previous: int | None
    next: int | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ImportPage:
    """The context of seeds/import.html, with what was typed and what is wrong with it."""

    values: Mapping[str, object]
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: AppError | None = None
    accepted: str = ACCEPTED
    max_mb: int = 0
    languages: Sequence[tuple[str, str]] = tuple((name, name) for name in SUFFIXES)
    most_snippets: int = MAX_SNIPPETS_PER_FILE


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The context of seeds/report.html."""

    report: ImportReport


@router.get("/seeds")
def sets(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
) -> Response:
    rows = queries.sets(work, member.workspace_id, before=before, limit=SETS_PER_PAGE + 1)
    shown = rows[:SETS_PER_PAGE]
    older = shown[-1].id if len(rows) > SETS_PER_PAGE else None
    return pages.render(request, "seeds/page.html", SetsPage(shown, older), block="rows")


@router.get("/seeds/new")
def new(request: Request, member: Member, pages: PagesDep) -> Response:  # noqa: ARG001 - for members only
    return pages.render(request, "seeds/import.html", ImportPage(_blank(), max_mb=settings().max_upload_mb))


@router.post("/seeds/new")
def take(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    name: Annotated[str, Form()] = "",
    file: Annotated[UploadFile | None, File()] = None,
    pasted: Annotated[str, Form()] = "",
    pasted_as: Annotated[Pasted, Form()] = "text",
    kind: Annotated[str, Form()] = "snippet",
    language: Annotated[str, Form()] = "python",
    licence: Annotated[str, Form()] = "",
    source: Annotated[str, Form()] = "",
    snippets_per_file: Annotated[str, Form()] = "1",
    skip_bad: Annotated[bool, Form()] = False,
) -> Response:
    typed: dict[str, object] = {
        "kind": kind,
        "language": language,
        "licence": licence.strip(),
        "source": source.strip(),
        "snippets_per_file": snippets_per_file,
        "skip_bad": skip_bad,
    }
    try:
        report = _import(work, member, name, file, pasted, pasted_as, typed)
    except InvalidInput as error:
        values = typed | {"name": name, "pasted": pasted, "pasted_as": pasted_as}
        page = ImportPage(values, _at_fields(error), error, max_mb=settings().max_upload_mb)
        return pages.render(request, "seeds/import.html", page, status=error.status)
    if report.rejected:
        return pages.render(request, "seeds/report.html", ReportPage(report))
    doubles = f" Exact duplicates left out: {report.duplicates:,}." if report.duplicates else ""
    return redirect(f"/seeds/{report.seed_set_id}", flash=f"Imported {plural(report.added, 'seed')}.{doubles}")


def _import(
    work: Session,
    member: Actor,
    name: str,
    file: UploadFile | None,
    pasted: str,
    pasted_as: Pasted,
    typed: Mapping[str, object],
) -> ImportReport:
    try:
        options = ImportOptions.model_validate(typed)
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
    if file is not None and file.filename:
        return service.import_file(work, member, file.file, file.filename, name, options)
    if not pasted.strip():
        raise InvalidInput("Choose a file, or paste some code.", field="file")
    form: Format = pasted_as
    with TemporaryFile() as written:
        written.write(pasted.encode("utf-8", "replace"))
        return service.import_file(work, member, written, "pasted", name or "pasted", options, form)


def _blank() -> dict[str, object]:
    return ImportOptions().model_dump() | {"name": "", "pasted": "", "pasted_as": "text"}


def _at_fields(error: InvalidInput) -> dict[str, str]:
    if isinstance(error, InvalidForm):
        return error.errors
    return {error.field or "file": f"{error.message} {error.remedy}".strip()}


@router.get("/seeds/{set_id}")
def one(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    set_id: Id,
    chosen: Annotated[SeedFilter, Query()],
) -> Response:
    found = service.seed_set(work, member, set_id)
    return pages.render(request, "seeds/set.html", _page(work, member, found, chosen), block="seeds")


@router.get("/seeds/{set_id}/{seed_id}")
def seed(work: Work, member: Member, set_id: Id, seed_id: Annotated[int, Path(ge=1, le=BIGGEST_ID)]) -> Response:
    """To the page of the set where this seed stands."""
    position = queries.position_of(work, member.workspace_id, set_id, seed_id)
    if position is None:
        raise NotFound("There is no such seed.")
    page = position // SEEDS_PER_PAGE + 1
    return RedirectResponse(f"/seeds/{set_id}?page={page}#seed-{position + 1}", 303)


@router.post("/seeds/{set_id}/delete")
def delete(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    set_id: Id,
    confirm: Annotated[str, Form()] = "",
) -> Response:
    try:
        name = service.delete_set(work, member, set_id, confirm)
    except InvalidInput as error:
        context = _page(work, member, service.seed_set(work, member, set_id), SeedFilter(), str(error))
        return pages.render(request, "seeds/set.html", context, status=error.status)
    return redirect("/seeds", flash=f"Deleted {name}.")


def _page(work: Session, member: Actor, found: SetRow, chosen: SeedFilter, error: str = "") -> SetPage:
    offset = (chosen.page - 1) * SEEDS_PER_PAGE
    rows = queries.seeds(work, member.workspace_id, found.id, chosen, offset=offset, limit=SEEDS_PER_PAGE + 1)
    parts = queries.parts(work, found.id, member.workspace_id)
    return SetPage(
        set=found,
        parts=parts,
        kinds=_choices(part.kind for part in parts),
        languages=_choices(part.language for part in parts),
        licences=[(value or NO_LICENCE, text or "none stated") for value, text in _choices(p.licence for p in parts)],
        chosen=chosen,
        seeds=rows[:SEEDS_PER_PAGE],
        first=offset + 1,
        total=found.seed_count if chosen.is_open else None,
        previous=chosen.page - 1 if chosen.page > 1 else None,
        next=chosen.page + 1 if len(rows) > SEEDS_PER_PAGE else None,
        error=error,
    )


def _choices(values: Iterable[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted(set(values))]
