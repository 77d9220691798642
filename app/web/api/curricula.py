"""Curricula over HTTP: make, look, change a draft, freeze, compare."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field

from app.db import Session
from app.domain.actor import Actor
from app.features.curricula import overview, queries, service
from app.features.curricula.queries import CurriculumRow, ItemKey, VersionRow
from app.features.curricula.schemas import Selection, parse_selection
from app.models import CurriculumVersion
from app.web.deps import BIGGEST_ID, BIGGEST_NUMBER, ApiActor, Id, Number, Work

router = APIRouter(tags=["curricula"])

_SELECTION = {"environments": ["deduction", "induction"], "approved_only": True, "maximum": 500, "order": "shuffled"}
MAX_DIFF = 1_000


class VersionOut(BaseModel):
    """A version as lists show it. `revision` is the SHA-256 by which a frozen one is addressed."""

    number: int
    revision: str | None
    frozen_at: datetime | None
    frozen_by: str
    created_at: datetime
    problems: int = Field(description="Of a frozen version; 0 for a draft.")

    @classmethod
    def of(cls, row: VersionRow) -> Self:
        return cls(
            number=row.number,
            revision=row.content_hash,
            frozen_at=row.frozen_at,
            frozen_by=row.frozen_by,
            created_at=row.created_at,
            problems=row.items,
        )


class CurriculumOut(BaseModel):
    id: int
    name: str
    created_at: datetime
    latest_version: int
    latest_frozen: VersionOut | None

    @classmethod
    def of(cls, row: CurriculumRow) -> Self:
        frozen = VersionOut.of(row.frozen) if row.frozen else None
        return cls(id=row.id, name=row.name, created_at=row.created_at, latest_version=row.latest, latest_frozen=frozen)


class CurriculumList(BaseModel):
    items: list[CurriculumOut]
    next_before: int | None = Field(description="Pass it as `before` for the next page; null on the last.")


class CurriculumDetail(BaseModel):
    id: int
    name: str
    created_at: datetime
    versions: list[VersionOut] = Field(description="Newest first.")


class ExcludedOut(BaseModel):
    reason: str
    sentence: str
    count: int


class VersionDetail(BaseModel):
    """What a version holds: live figures of a draft, fixed ones of a frozen version."""

    number: int
    revision: str | None
    frozen_at: datetime | None
    selection: Selection
    problems: int
    counts: dict[str, dict[str, int]] = Field(description="Environment, then bin.")
    pass_rates: list[tuple[float, int]] = Field(description="Each pass rate with its number of problems.")
    excluded: list[ExcludedOut] = Field(description="Variants in scope that a draft leaves out, by reason.")
    unmeasured: int = Field(description="Chosen by every filter, but without a pass rate: they block freezing.")
    blocked: str = Field(description="Why a draft can't be frozen; empty where it can.")
    seen: str = Field(description="Pass it to `freeze` to be refused where the figures have changed since.")


class NewCurriculum(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    selection: dict[str, object] = Field(default_factory=dict)


class Freeze(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seen: str | None = None


class ItemOut(BaseModel):
    content_hash: str
    environment: str
    difficulty: str
    pass_rate: float

    @classmethod
    def of(cls, item: ItemKey) -> Self:
        return cls(
            content_hash=item.content_hash,
            environment=item.environment,
            difficulty=item.difficulty,
            pass_rate=item.rate,
        )


class DiffOut(BaseModel):
    """By problem, whatever its position. Lists are cut at 1,000; the counts are whole."""

    base: int
    to: int
    kept: int
    added: int
    removed: int
    moved: int = Field(description="In both, under another difficulty.")
    added_items: list[ItemOut]
    removed_items: list[ItemOut]
    moved_items: list[tuple[ItemOut, ItemOut]] = Field(description="Before and now.")


@router.get("/curricula")
def list_curricula(
    work: Work,
    actor: ApiActor,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CurriculumList:
    """Newest first."""
    rows = queries.curricula(work, actor.workspace_id, before, limit + 1)
    items = [CurriculumOut.of(row) for row in rows[:limit]]
    return CurriculumList(items=items, next_before=items[-1].id if len(rows) > limit else None)


@router.post("/curricula", status_code=201)
def create_curriculum(
    work: Work,
    actor: ApiActor,
    wanted: Annotated[
        NewCurriculum,
        Body(openapi_examples={"two environments": {"value": {"name": "First steps", "selection": _SELECTION}}}),
    ],
) -> CurriculumDetail:
    """Makes a curriculum and its first draft. Settings of the selection that are not given take their defaults."""
    return _detail(work, actor, service.create(work, actor, wanted.name, parse_selection(wanted.selection)).id)


@router.get("/curricula/{curriculum_id}")
def get_curriculum(work: Work, actor: ApiActor, curriculum_id: Id) -> CurriculumDetail:
    return _detail(work, actor, curriculum_id)


@router.post("/curricula/{curriculum_id}/versions", status_code=201)
def start_version(work: Work, actor: ApiActor, curriculum_id: Id) -> VersionDetail:
    """A draft that starts from the newest version's selection; the open draft where there is one already."""
    return _version(work, actor, service.new_version(work, actor, curriculum_id))


@router.get("/curricula/{curriculum_id}/versions/{number}")
def get_version(work: Work, actor: ApiActor, curriculum_id: Id, number: Number) -> VersionDetail:
    return _version(work, actor, service.find_version(work, actor, curriculum_id, number))


@router.put("/curricula/{curriculum_id}/versions/{number}/selection")
def put_selection(
    work: Work,
    actor: ApiActor,
    curriculum_id: Id,
    number: Number,
    selection: Annotated[dict[str, object], Body(openapi_examples={"two environments": {"value": _SELECTION}})],
) -> VersionDetail:
    """Replaces a draft's selection, and tells what it gives. 409 for a frozen version."""
    chosen = parse_selection(selection)
    return _version(work, actor, service.save_selection(work, actor, curriculum_id, number, chosen))


@router.post("/curricula/{curriculum_id}/versions/{number}/freeze")
def freeze(
    work: Work, actor: ApiActor, curriculum_id: Id, number: Number, wanted: Annotated[Freeze | None, Body()] = None
) -> VersionDetail:
    """Makes a draft permanent. 409 where it can't be: frozen already, empty, unmeasured, or changed since `seen`."""
    seen = wanted.seen if wanted else None
    return _version(work, actor, service.freeze(work, actor, curriculum_id, number, seen=seen))


@router.get("/curricula/{curriculum_id}/diff")
def diff(
    work: Work,
    actor: ApiActor,
    curriculum_id: Id,
    base: Annotated[int, Query(ge=1, le=BIGGEST_NUMBER)],
    to: Annotated[int, Query(ge=1, le=BIGGEST_NUMBER)],
) -> DiffOut:
    """How version `to` differs from version `base`; a draft is taken as it is now."""
    before, now = (
        service.items(work, actor, service.find_version(work, actor, curriculum_id, number)) for number in (base, to)
    )
    found = service.diff(before, now)
    return DiffOut(
        base=base,
        to=to,
        kept=found.kept,
        added=len(found.added),
        removed=len(found.removed),
        moved=len(found.moved),
        added_items=[ItemOut.of(item) for item in found.added[:MAX_DIFF]],
        removed_items=[ItemOut.of(item) for item in found.removed[:MAX_DIFF]],
        moved_items=[(ItemOut.of(a), ItemOut.of(b)) for a, b in found.moved[:MAX_DIFF]],
    )


def _detail(work: Session, actor: Actor, curriculum_id: int) -> CurriculumDetail:
    curriculum = service.find(work, actor, curriculum_id)
    work.refresh(curriculum)
    return CurriculumDetail(
        id=curriculum.id,
        name=curriculum.name,
        created_at=curriculum.created_at,
        versions=[VersionOut.of(row) for row in queries.versions(work, actor.workspace_id, curriculum_id)],
    )


def _version(work: Session, actor: Actor, version: CurriculumVersion) -> VersionDetail:
    if version.frozen_at is None:
        found = overview.of_draft(work, actor, version, overview.evaluated(work, actor, version))
    else:
        found = overview.of_frozen(work, actor, version)
    return VersionDetail(
        number=version.number,
        revision=version.content_hash,
        frozen_at=version.frozen_at,
        selection=service.selection_of(version),
        problems=found.total,
        counts=found.counts,
        pass_rates=list(found.rates),
        excluded=[ExcludedOut(reason=e.reason, sentence=e.sentence, count=e.count) for e in found.excluded],
        unmeasured=found.unmeasured,
        blocked=found.blocked,
        seen=found.digest,
    )
