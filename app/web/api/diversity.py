"""Diversity of a run over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.features.diversity import service
from app.features.diversity.schemas import SyntaxSpread
from app.web.deps import ApiActor, Id, Work

router = APIRouter(tags=["runs"])


class SpreadOut(BaseModel):
    """The valid variants of one arm in one environment."""

    arm: str = Field(description="main: the run's strategy; baseline: the single-turn one.")
    environment: str | None = Field(description="null: all of them together.")
    n: int = Field(description="Valid variants that the run grew by itself.")
    mean_distance: float | None = Field(
        description="1 - the estimated share of syntax in common, over all pairs; null for fewer than two variants."
    )
    counted: int = Field(description="Among how many of them, in the order of the run, clusters are counted.")
    clusters: int = Field(description="Variants of a cluster share half of their syntax with its first one.")
    constructs: list[str] = Field(description="Kinds of nodes of Python's syntax tree that occur.")
    curve: list[int] = Field(description="Clusters among the first one, the first two, and so on.")

    @classmethod
    def of(cls, spread: SyntaxSpread) -> SpreadOut:
        known = {name: getattr(spread, name) for name in cls.model_fields if name != "environment"}
        return cls.model_validate({**known, "environment": spread.environment or None})


class DiversityOut(BaseModel):
    run_id: int
    spreads: list[SpreadOut] = Field(description="Those of the run's own strategy, then those of its baseline.")
    unsketched: int = Field(description="Valid variants left out, since an older version of Cairn grew them.")


@router.get("/runs/{run_id}/diversity")
def get_diversity(work: Work, actor: ApiActor, run_id: Id) -> DiversityOut:
    """How different the run's programs are from one another, beside its single-turn baseline."""
    found = service.diversity(work, actor, run_id)
    spreads = [SpreadOut.of(spread) for spread in (*found.main, *found.baseline)]
    return DiversityOut(run_id=run_id, spreads=spreads, unsketched=found.unsketched)
