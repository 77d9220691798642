"""What people ask for when they measure variants again, and what they are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.domain.difficulty import Tally
from app.errors import InvalidForm
from app.features.chains.schemas import Profile
from app.features.runs.schemas import MinimumVerdicts, ModelChoice, OneLine, minimum_of, strange_text, typed_choice
from app.messages import Spelled, by_field

MOST_VARIANTS = 20_000
_Id = Annotated[int, Field(ge=1, lt=2**63)]


class RemeasureConfig(BaseModel):
    """With what variants are measured: everything that decides the pass rates, and a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: OneLine = Field(default="", max_length=200, description="What it is called in lists; made up if empty.")
    student: ModelChoice = Field(default_factory=ModelChoice, description="The model that tries the problems.")
    attempts: int = Field(default=32, ge=1, le=1024, description="Student attempts per problem.")
    minimum_verdicts: MinimumVerdicts = None
    seed: int = Field(default=0, ge=0, lt=2**63, description="Random seed: the same seed gives the same attempts.")

    @property
    def minimum(self) -> int:
        """Verdicts that a pass rate needs at least."""
        return minimum_of(self.minimum_verdicts, self.attempts)


class VariantChoice(BaseModel):
    """Which variants: those named, the usable ones of a run, or those of a curriculum version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variants: list[_Id] = Field(default=[], max_length=MOST_VARIANTS, description="Ids of variants.")
    run: _Id | None = Field(default=None, description="All usable variants of a run.")
    revision: Annotated[str, Spelled("[0-9a-f]{64}", "must be the revision of a frozen curriculum version")] | None = (
        Field(default=None, description="All variants of a frozen curriculum version.")
    )

    @model_validator(mode="after")
    def _one_kind(self) -> VariantChoice:
        if sum(map(bool, (self.variants, self.run, self.revision))) != 1:
            raise ValueError("say one of variants, run and revision")
        return self


def parse(data: object) -> RemeasureConfig:
    """From plain data, with the engine's options in the types of its schema. Raises InvalidForm."""
    if strange := strange_text(data):
        raise InvalidForm(strange)
    try:
        config = RemeasureConfig.model_validate(data)
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
    errors: dict[str, str] = {}
    student = typed_choice("student", config.student, errors)
    if errors:
        raise InvalidForm(errors)
    return config.model_copy(update={"student": student})


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variant of a selection. With an `obstacle` it is left out, and that says why."""

    variant_id: int
    run_id: int
    environment: str
    obstacle: str


@dataclass(frozen=True, slots=True)
class RemeasurementRow:
    """A request and how far it is."""

    id: int
    name: str
    state: str
    error: str
    student: Profile
    attempts: int
    variants: int
    done: int
    set_aside: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def progress(self) -> float:
        return (self.done + self.set_aside) / self.variants if self.variants else 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A variant that both students have measured: how its run's own did, and how this one does.

    A rate is None below the minimum of verdicts.
    """

    variant_id: int
    run_id: int
    place: str
    environment: str
    headline: str
    own: Tally
    own_rate: float | None
    own_bin: str | None
    new: Tally
    new_rate: float | None
    new_bin: str | None


@dataclass(frozen=True, slots=True)
class StudentFigures:
    """What one student made of a run's valid, unique variants. `own`: it is the run's.

    `measured` have enough verdicts for a rate, `mean` is that of their rates, `usable` of them lie in the run's band.
    """

    student: Profile
    own: bool
    measured: int
    usable: int
    mean: float
    bins: Mapping[str, int]
