"""Embeddings of a run over HTTP: asking for them, following the work, and what they tell of its diversity."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from app.domain.embeddings import ALIKE
from app.features.embeddings import service
from app.features.embeddings.schemas import EmbedConfig, EmbeddingSpread, RunEmbeddings, parse
from app.web.deps import ApiActor, Id, Work

router = APIRouter(tags=["runs"])

_EXAMPLE = {
    "embedder": {"engine": "openai", "options": {"base_url": "http://gpu-1:8000/v1", "model": "qwen3-embedding"}}
}


class PairOut(BaseModel):
    """Two variants of different trees."""

    cosine: float
    environment: str
    variants: tuple[int, int] = Field(description="Their ids.")


class EmbeddingSpreadOut(BaseModel):
    """The valid variants of one arm in one environment that have a vector."""

    arm: str = Field(description="main: the run's strategy; baseline: the single-turn one.")
    environment: str | None = Field(description="null: all of them together.")
    n: int = Field(description="Variants that the run grew by itself and that have a vector.")
    mean_distance: float | None = Field(description="1 - cosine, over all pairs; null for fewer than two variants.")
    counted: int = Field(description="Among how many of them, in the order of the run, clusters are counted.")
    clusters: int = Field(description="Variants of a cluster have at least the cosine `alike` with its first one.")
    curve: list[int] = Field(description="Clusters among the first one, the first two, and so on.")
    pairs: list[PairOut] = Field(description="The 20 closest of different trees of one environment.")

    @classmethod
    def of(cls, spread: EmbeddingSpread) -> EmbeddingSpreadOut:
        pairs = [
            PairOut(cosine=pair.cosine, environment=pair.environment, variants=(pair.first, pair.second))
            for pair in spread.pairs
        ]
        names = ("arm", "n", "mean_distance", "counted", "clusters", "curve")
        known = {name: getattr(spread, name) for name in names}
        return cls.model_validate({**known, "environment": spread.environment or None, "pairs": pairs})


class EmbeddingsOut(BaseModel):
    """How far the embedding of a run is, and what came of it."""

    run_id: int
    state: Literal["running", "paused", "done"] | None = Field(description="null: nobody asked for it.")
    error: str = Field(description="The trouble that it met last, or paused of by itself. Ask again to go on.")
    engine: str
    model: str
    valid: int = Field(description="Valid variants of the run.")
    embedded: int = Field(description="Those of them that have a vector of this model.")
    too_long: int = Field(description="Those whose text is too long for this model.")
    started_at: datetime | None
    finished_at: datetime | None
    alike: float = Field(description="Cosine from which variants count as one cluster.")
    spreads: list[EmbeddingSpreadOut] = Field(description="As they were when it was done; empty before.")

    @classmethod
    def of(cls, found: RunEmbeddings) -> EmbeddingsOut:
        ours = {"state", "alike", "spreads"}
        known = {name: getattr(found, name) for name in cls.model_fields.keys() - ours}
        spreads = [EmbeddingSpreadOut.of(spread) for spread in found.spreads]
        return cls.model_validate({**known, "state": found.state or None, "alike": ALIKE, "spreads": spreads})


@router.get("/runs/{run_id}/embeddings")
def get_embeddings(work: Work, actor: ApiActor, run_id: Id) -> EmbeddingsOut:
    """How different the run's problems are by their embeddings, beside its single-turn baseline."""
    return EmbeddingsOut.of(service.embeddings(work, actor, run_id))


@router.post("/runs/{run_id}/embeddings", status_code=202)
def start_embedding(
    work: Work,
    actor: ApiActor,
    run_id: Id,
    request: Annotated[EmbedConfig, Body(openapi_examples={"server": {"value": _EXAMPLE}})],
) -> EmbeddingsOut:
    """Embeds, in the background, the valid variants that this model has not embedded yet. 409 where there is none."""
    config = parse(request.model_dump(mode="json", exclude_none=True))
    return EmbeddingsOut.of(service.start(work, actor, run_id, config))


@router.post("/runs/{run_id}/embeddings/pause")
def pause_embedding(work: Work, actor: ApiActor, run_id: Id) -> EmbeddingsOut:
    """What is embedded stays; asking again goes on. 409 where nothing is under way."""
    return EmbeddingsOut.of(service.pause(work, actor, run_id))
