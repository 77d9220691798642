"""Benchmark sets over HTTP, and what runs share with them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, Field

from app.features.benchmarks import queries, service
from app.features.benchmarks.schemas import Contamination, ImportReport, ItemRow, SetRow
from app.web.deps import BIGGEST_ID, ApiActor, Id, Work

router = APIRouter(tags=["benchmarks"])


class BenchmarkSetOut(BaseModel):
    """Problems that models are measured by, so that no curriculum may hold them."""

    id: int
    name: str
    origin: str
    item_count: int
    run_count: int = Field(description="Runs that are compared with it.")
    variant_count: int = Field(description="Variants that share something with it.")
    created_at: datetime

    @classmethod
    def of(cls, row: SetRow) -> BenchmarkSetOut:
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})


class BenchmarkSetList(BaseModel):
    items: list[BenchmarkSetOut]


class BenchmarkItemOut(BaseModel):
    id: int
    position: int
    name: str
    statement: str
    code: str
    comparable: bool = Field(description="False where it has too few words and too little code to be recognised.")
    variant_count: int = Field(description="Variants that share most with it, of all items of the set.")

    @classmethod
    def of(cls, row: ItemRow) -> BenchmarkItemOut:
        return cls.model_validate(asdict(row))


class ItemList(BaseModel):
    items: list[BenchmarkItemOut]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null on the last.")


class BenchmarkImportOut(BaseModel):
    """What an import did."""

    benchmark_set_id: int
    name: str
    added: int
    short: int = Field(description="Items with too few words and too little code to be recognised.")

    @classmethod
    def of(cls, report: ImportReport) -> BenchmarkImportOut:
        return cls.model_validate(asdict(report))


class CheckOut(BaseModel):
    """The last time that all variants were compared again."""

    state: Literal["running", "done"]
    done: int
    total: int
    started_at: datetime
    finished_at: datetime | None


class ContaminationOut(BaseModel):
    run_id: int
    sets: list[int] = Field(description="Ids of the sets that the run is compared with.")
    missing: int = Field(description="Sets that were imported after the run began or was last checked.")
    valid: int
    contaminated: int = Field(description="Valid variants that share something with a set.")
    check: CheckOut | None = Field(description="null: it was never checked again.")

    @classmethod
    def of(cls, run_id: int, found: Contamination) -> ContaminationOut:
        check = CheckOut(**asdict(found.check)) if found.check else None
        counts = {"missing": found.missing, "valid": found.valid, "contaminated": found.contaminated}
        return cls(run_id=run_id, sets=list(found.sets), check=check, **counts)


@router.get("/benchmark-sets")
def list_benchmark_sets(work: Work, actor: ApiActor) -> BenchmarkSetList:
    """Newest first."""
    return BenchmarkSetList(items=[BenchmarkSetOut.of(row) for row in queries.sets(work, actor.workspace_id)])


@router.post("/benchmark-sets/import", status_code=201)
def import_benchmark_set(
    work: Work,
    actor: ApiActor,
    file: Annotated[UploadFile, File(description="JSONL or Parquet; docs/formats.md describes what it may hold.")],
    name: Annotated[str, Form(description="Of the new set; that of the file by default.")] = "",
) -> BenchmarkImportOut:
    """Makes a set from a file: all of it, or nothing. Runs that begin afterwards are compared with it."""
    return BenchmarkImportOut.of(service.import_file(work, actor, file.file, file.filename or "", name))


@router.get("/benchmark-sets/{benchmark_set_id}")
def get_benchmark_set(work: Work, actor: ApiActor, benchmark_set_id: Id) -> BenchmarkSetOut:
    return BenchmarkSetOut.of(service.benchmark_set(work, actor, benchmark_set_id))


@router.get("/benchmark-sets/{benchmark_set_id}/items")
def list_benchmark_items(
    work: Work,
    actor: ApiActor,
    benchmark_set_id: Id,
    after: Annotated[int, Query(ge=-1, le=BIGGEST_ID, description="Position of the last item that you have.")] = -1,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ItemList:
    """In the order of the set."""
    service.benchmark_set(work, actor, benchmark_set_id)
    rows = queries.items(work, actor.workspace_id, benchmark_set_id, after=after, limit=limit + 1)
    items = [BenchmarkItemOut.of(row) for row in rows[:limit]]
    return ItemList(items=items, next_after=items[-1].position if len(rows) > limit else None)


@router.delete("/benchmark-sets/{benchmark_set_id}", status_code=204)
def delete_benchmark_set(
    work: Work,
    actor: ApiActor,
    benchmark_set_id: Id,
    confirm: Annotated[str, Query(max_length=200, description="The name of the set.", examples=["HumanEval"])],
) -> None:
    """Deletes a set, and with it every mark that names it."""
    service.delete_set(work, actor, benchmark_set_id, confirm)


@router.get("/runs/{run_id}/contamination")
def get_contamination(work: Work, actor: ApiActor, run_id: Id) -> ContaminationOut:
    """With which sets a run is compared, and what came of it."""
    return ContaminationOut.of(run_id, service.contamination(work, actor, run_id))


@router.post("/runs/{run_id}/contamination/check", status_code=202)
def check_again(work: Work, actor: ApiActor, run_id: Id) -> ContaminationOut:
    """Compares all variants of a run with every set that there is now, in the background. 409 where there is none."""
    return ContaminationOut.of(run_id, service.check_again(work, actor, run_id))
