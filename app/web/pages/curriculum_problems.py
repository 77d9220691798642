"""The problems of a curriculum version as a list, what a draft leaves out, and how two versions differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app import registry
from app.features.curricula import overview, queries, service
from app.features.curricula.overview import Filter, Line
from app.features.curricula.queries import VersionRow
from app.features.curricula.selection import REASONS
from app.features.curricula.service import Diff
from app.web.deps import BIGGEST_NUMBER, Id, Member, Number, PagesDep, Work

NAV = None
router = APIRouter()

PER_PAGE = 100
DIFF_SHOWN = 200
UNMEASURED = "Chosen, but without a pass rate"
Environment = Annotated[str, Query(max_length=100)]
Reason = Literal[
    "",
    "unmeasured",
    "rejected",
    "unapproved",
    "no_pass_rate",
    "outside_bins",
    "duplicate",
    "similar",
    "benchmark",
    "incomplete_chain",
    "other_bin",
    "over_maximum",
]


@dataclass(frozen=True, slots=True)
class ProblemsPage:
    """The context of curricula/problems.html: `first` to `last` of `total`, numbered from 1."""

    id: int
    name: str
    number: int
    lines: Sequence[Line]
    total: int
    first: int
    page: int
    pages: int
    asked: Filter
    left_out: str
    environments: Sequence[tuple[str, str]]
    bins: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DiffPage:
    """The context of curricula/diff.html. Each list is cut at `shown`; the counts are whole."""

    id: int
    name: str
    base: int
    to: int
    versions: Sequence[VersionRow]
    diff: Diff
    shown: int = DIFF_SHOWN


@router.get("/curricula/{curriculum_id}/v{number}/problems")
def problems(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    curriculum_id: Id,
    number: Number,
    environment: Environment = "",
    difficulty: Environment = "",
    low: Annotated[float, Query(ge=0, le=1)] = 0.0,
    high: Annotated[float, Query(ge=0, le=1)] = 1.0,
    left_out: Reason = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Behind every figure of a version: its problems, or with `left_out` the variants that a draft passes over."""
    version = service.find_version(work, member, curriculum_id, number)
    asked, offset = Filter(environment, difficulty, low, high), PER_PAGE * (page - 1)
    if version.frozen_at is None:
        found = overview.evaluated(work, member, version)
        lines = overview.lines_left_out(found, left_out) if left_out else overview.lines_of_draft(found, asked)
        total, lines = len(lines), lines[offset : offset + PER_PAGE]
    else:
        lines, total = overview.lines_of_frozen(work, member, version, asked, offset, PER_PAGE)
    context = ProblemsPage(
        id=curriculum_id,
        name=service.find(work, member, curriculum_id).name,
        number=number,
        lines=lines,
        total=total,
        first=offset + 1,
        page=page,
        pages=-(-total // PER_PAGE),
        asked=asked,
        left_out=UNMEASURED if left_out == "unmeasured" else REASONS.get(left_out, ""),
        environments=[(name, environment.title) for name, environment in registry.environments().items()],
        bins=[(b.name, b.name) for b in service.selection_of(version).bins_of_set],
    )
    return pages.render(request, "curricula/problems.html", context, block="rows")


@router.get("/curricula/{curriculum_id}/diff")
def diff(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    curriculum_id: Id,
    base: Annotated[int, Query(ge=1, le=BIGGEST_NUMBER)],
    to: Annotated[int, Query(ge=1, le=BIGGEST_NUMBER)],
) -> Response:
    before, now = (
        service.items(work, member, service.find_version(work, member, curriculum_id, number)) for number in (base, to)
    )
    context = DiffPage(
        id=curriculum_id,
        name=service.find(work, member, curriculum_id).name,
        base=base,
        to=to,
        versions=queries.versions(work, member.workspace_id, curriculum_id),
        diff=service.diff(before, now),
    )
    return pages.render(request, "curricula/diff.html", context, block="found")
