"""What asks for embeddings of a run, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.errors import InvalidForm
from app.features.diversity.schemas import Spread
from app.features.runs.schemas import ModelChoice, strange_text, typed_choice
from app.messages import by_field


class EmbedConfig(BaseModel):
    """With what variants are embedded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedder: ModelChoice = Field(description="The model that turns texts into vectors.")


def parse(data: object) -> EmbedConfig:
    """From plain data, with the engine's options in the types of its schema. Raises InvalidForm."""
    if strange := strange_text(data):
        raise InvalidForm(strange)
    try:
        config = EmbedConfig.model_validate(data)
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
    errors: dict[str, str] = {}
    embedder = typed_choice("embedder", config.embedder, errors)
    if errors:
        raise InvalidForm(errors)
    return EmbedConfig(embedder=embedder)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variants of different trees and the cosine of their vectors."""

    cosine: float
    environment: str
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class EmbeddingSpread(Spread):
    """Of problems, by their vectors; distances are 1 - cosine. `pairs` are the closest within an environment."""

    pairs: Sequence[Pair]


SPREADS = TypeAdapter(list[EmbeddingSpread])


@dataclass(frozen=True, slots=True)
class RunEmbeddings:
    """How far the embedding of a run is. `state` is "" where nobody asked for it.

    Of its `valid` variants so many have a vector or, being `too_long` for the model, none. `error` is the trouble that
    was met last, or that it paused of. `spreads` are those that there were when it was done.
    """

    run_id: int
    valid: int
    state: str = ""
    error: str = ""
    engine: str = ""
    model: str = ""
    config: Mapping[str, object] | None = None
    embedded: int = 0
    too_long: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    spreads: Sequence[EmbeddingSpread] = ()

    @property
    def left(self) -> int:
        """Valid variants that are still to be embedded."""
        return self.valid - self.embedded - self.too_long


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variant stands, and what it is about."""

    chain_id: int
    place: str
    headline: str
