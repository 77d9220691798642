"""What a curriculum version chooses: one model for the form, the API and the command line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from app.domain.difficulty import BROAD, KEPT, NARROW, Bin
from app.errors import InvalidForm
from app.messages import Spelled, by_field

# `kept` leaves no usable variant out: what lies in no broad bin is called unbinned. The first bin that fits counts.
SETS: dict[str, tuple[Bin, ...]] = {"broad": BROAD, "narrow": NARROW, "kept": (*BROAD, Bin("unbinned", KEPT))}
Order = Literal["easiest_first", "hardest_first", "position", "shuffled"]
RowId = Annotated[int, Field(ge=1, lt=2**63)]
Name = Annotated[str, Field(max_length=100), Spelled("[ -~]+", "must be the name of an environment")]


class Selection(BaseModel):
    """Which variants, and in what order. Empty lists choose everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: list[RowId] = Field(
        default_factory=list, max_length=1_000, description="Ids of runs; all of them by default."
    )
    environments: list[Name] = Field(default_factory=list, max_length=100, description="Environments; all by default.")
    arm: Literal["main", "baseline", "both"] = Field(
        default="main", description="Problems grown by the run's strategy, by its single-turn baseline, or both."
    )
    student: RowId | None = Field(
        default=None, description="Student profile whose pass rates count; each run's own by default."
    )
    approved_only: bool = Field(default=True, description="Take approved variants only; rejected ones are never taken.")
    bin_set: Literal["broad", "narrow", "kept"] = Field(
        default="broad", description="Difficulty bins: broad for curricula, narrow for chains, kept for all usable."
    )
    bins: list[str] = Field(default_factory=list, max_length=8, description="Bins of that set; all by default.")
    complete_chains: bool = Field(
        default=False, description="Only chains that hold an easy, a medium and a hard variant of the chosen kind."
    )
    leave_out_unmeasured: bool = Field(
        default=False, description="Pass over variants without a pass rate; otherwise they block freezing."
    )
    maximum: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Most problems per environment and bin, drawn at random."
    )
    order: Order = Field(default="easiest_first", description="Order of the rows.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Random seed of the drawing and of the shuffled order.")

    @field_validator("bins")
    @classmethod
    def _known_bins(cls, names: list[str], info: ValidationInfo) -> list[str]:
        if bin_set := info.data.get("bin_set"):  # else that is wrong, and says so
            known = [b.name for b in SETS[bin_set]]
            if unknown := sorted(set(names) - set(known)):
                raise ValueError(f"the {bin_set} set has no bin {unknown[0]!r}; it has {', '.join(known)}")
        return names

    @property
    def bins_of_set(self) -> tuple[Bin, ...]:
        return SETS[self.bin_set]


def parse_selection(data: object) -> Selection:
    """Raises InvalidForm with one message per field."""
    try:
        return Selection.model_validate(data)
    except ValidationError as error:
        raise InvalidForm(by_field(error, whole="selection")) from error
