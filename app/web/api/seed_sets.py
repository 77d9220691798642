"""Seed sets over HTTP: list, look, import, delete."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from tempfile import TemporaryFile
from typing import Annotated

from fastapi import APIRouter, Body, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import InvalidForm
from app.features.seeds import queries, service
from app.features.seeds.schemas import ImportOptions, ImportReport, Kind, SeedRow, SetRow
from app.messages import by_field
from app.web.deps import BIGGEST_ID, ApiActor, Id, Work

router = APIRouter(prefix="/seed-sets", tags=["seeds"])

_SNIPPET = "def mean(xs):\n    return sum(xs) / len(xs)\n"


class SeedSetOut(BaseModel):
    """A set of seeds; a run names it by its name."""

    id: int
    name: str
    origin: str
    seed_count: int
    run_count: int
    created_at: datetime

    @classmethod
    def of(cls, row: SetRow) -> SeedSetOut:
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class SeedSetList(BaseModel):
    items: list[SeedSetOut]
    next_before: int | None = Field(description="Pass it as `before` for the next page; null on the last.")


class SetSeedOut(BaseModel):
    """A piece of real code. `digest` is the SHA-256 of its text."""

    id: int
    position: int
    kind: Kind
    text: str
    language: str
    licence: str
    source: str
    digest: str

    @classmethod
    def of(cls, row: SeedRow) -> SetSeedOut:
        return cls.model_validate(asdict(row))


class SeedList(BaseModel):
    items: list[SetSeedOut]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null on the last.")


class SeedIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    kind: Kind = "snippet"
    language: str = Field(default="python", max_length=40)
    licence: str = Field(default="", max_length=200)
    source: str = Field(default="", max_length=500)


class SeedSetIn(BaseModel):
    """A new set with its seeds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "Means", "seeds": [{"text": _SNIPPET, "kind": "solution", "licence": "MIT"}]}]
        },
    )

    name: str
    origin: str = Field(default="API", min_length=1, max_length=200)
    seeds: list[SeedIn] = Field(min_length=1, max_length=10_000)


class RejectedOut(BaseModel):
    """A record or file that was left out, and why."""

    where: str
    field: str
    message: str
    remedy: str


class ImportOut(BaseModel):
    """What an import did. `rejected` lists the first of `rejected_count`."""

    seed_set_id: int
    name: str
    added: int
    duplicates: int = Field(description="Seeds whose text was in the set already.")
    rejected_count: int
    rejected: list[RejectedOut]

    @classmethod
    def of(cls, report: ImportReport) -> ImportOut:
        return cls.model_validate(asdict(report))


@router.get("")
def list_seed_sets(
    work: Work,
    actor: ApiActor,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST_ID, description="Id of the last set that you have.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SeedSetList:
    """Newest first."""
    rows = queries.sets(work, actor.workspace_id, before=before, limit=limit + 1)
    items = [SeedSetOut.of(row) for row in rows[:limit]]
    return SeedSetList(items=items, next_before=items[-1].id if len(rows) > limit else None)


@router.post("", status_code=201)
def create_seed_set(work: Work, actor: ApiActor, made: Annotated[SeedSetIn, Body()]) -> ImportOut:
    """Makes a set from the seeds in the body: all of them, or none."""
    with TemporaryFile() as lines:  # read like a file, in the process that is there for what others wrote
        lines.writelines(json.dumps(seed.model_dump(exclude_defaults=True)).encode() + b"\n" for seed in made.seeds)
        options = ImportOptions(source=made.origin)
        return ImportOut.of(service.import_file(work, actor, lines, made.origin, made.name, options, "jsonl"))


@router.post("/import", status_code=201)
def import_seed_set(
    work: Work,
    actor: ApiActor,
    file: Annotated[UploadFile, File(description="JSONL, Parquet, a zip of source files, or one source file.")],
    name: Annotated[str, Form(description="Of the new set; that of the file by default.")] = "",
    kind: Annotated[Kind, Form()] = "snippet",
    language: Annotated[str, Form()] = "python",
    licence: Annotated[str, Form()] = "",
    source: Annotated[str, Form()] = "",
    snippets_per_file: Annotated[int, Form()] = 1,
    skip_bad: Annotated[
        bool, Form(description="Leave bad records out and list them; else one stops the import.")
    ] = False,
) -> ImportOut:
    """Makes a set from a file; docs/formats.md describes what it may hold."""
    try:
        options = ImportOptions(
            kind=kind,
            language=language,
            licence=licence,
            source=source,
            snippets_per_file=snippets_per_file,
            skip_bad=skip_bad,
        )
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
    return ImportOut.of(service.import_file(work, actor, file.file, file.filename or "", name, options))


@router.get("/{seed_set_id}")
def get_seed_set(work: Work, actor: ApiActor, seed_set_id: Id) -> SeedSetOut:
    return SeedSetOut.of(service.seed_set(work, actor, seed_set_id))


@router.get("/{seed_set_id}/seeds")
def list_seeds(
    work: Work,
    actor: ApiActor,
    seed_set_id: Id,
    after: Annotated[int, Query(ge=-1, le=BIGGEST_ID, description="Position of the last seed that you have.")] = -1,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> SeedList:
    """In the order of the set."""
    service.seed_set(work, actor, seed_set_id)
    rows = queries.seeds_after(work, actor.workspace_id, seed_set_id, after, limit + 1)
    items = [SetSeedOut.of(row) for row in rows[:limit]]
    return SeedList(items=items, next_after=items[-1].position if len(rows) > limit else None)


@router.delete("/{seed_set_id}", status_code=204)
def delete_seed_set(
    work: Work,
    actor: ApiActor,
    seed_set_id: Id,
    confirm: Annotated[str, Query(max_length=200, description="The name of the set.", examples=["Means"])],
) -> None:
    """Deletes a set that no run uses."""
    service.delete_set(work, actor, seed_set_id, confirm)
