"""Chains over HTTP: those of a run, and one with all its variants."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.features.chains import service
from app.features.chains.filters import ChainQuery
from app.features.chains.schemas import ChainRow
from app.web.deps import ApiActor, Id, Work
from app.web.outputs import VariantOut

router = APIRouter(tags=["chains"])


class ChainOut(BaseModel):
    """All that grew from one seed in one environment."""

    id: int
    run_id: int
    arm: str = Field(description="main: the run's strategy; baseline: the single-turn one.")
    position: int
    environment: str
    state: str
    stop_reason: str
    seed_id: int
    seed_source: str
    variants: int
    usable: int = Field(description="Valid, unique, in no benchmark, and measured within the run's kept band.")
    bins: list[str] = Field(description="Broad difficulty bins that the usable variants fill, easiest first.")
    complete: bool = Field(description="Whether they fill easy, medium and hard of the narrow set.")

    @classmethod
    def of(cls, row: ChainRow) -> ChainOut:
        return cls.model_validate(asdict(row))


class ChainList(BaseModel):
    items: list[ChainOut]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null on the last.")


class ChainDetail(ChainOut):
    """A chain with its variants in preorder."""

    tree: list[VariantOut]


@router.get("/runs/{run_id}/chains")
def list_chains(work: Work, actor: ApiActor, run_id: Id, query: Annotated[ChainQuery, Query()]) -> ChainList:
    """In the order of the run by default; the baseline's chain of a seed stands behind the run's own."""
    rows, more = service.list_chains(work, actor, run_id, query)
    items = [ChainOut.of(row) for row in rows]
    return ChainList(items=items, next_after=items[-1].id if more else None)


@router.get("/chains/{chain_id}")
def get_chain(work: Work, actor: ApiActor, chain_id: Id) -> ChainDetail:
    chain, family = service.chain(work, actor, chain_id)
    return ChainDetail(**ChainOut.of(chain).model_dump(), tree=[VariantOut.of(row) for row in family])
