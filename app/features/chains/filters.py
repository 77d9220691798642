"""What may be asked of the lists of chains and variants: one model per address, so that nothing is silently ignored."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from app import registry
from app.messages import Spelled


def _blank_is_none(value: object) -> object:
    """A form sends "" for a filter that is left open."""
    return None if value == "" else value


_Open = BeforeValidator(_blank_is_none)
_InOrder = BeforeValidator(lambda value: value or "position")
Arm = Annotated[Literal["main", "baseline"] | None, _Open]
ChainState = Annotated[Literal["open", "finished", "stopped", "failed", "quarantined", "cancelled"] | None, _Open]
BinName = Annotated[Literal["easy", "easy-medium", "medium", "hard"] | None, _Open]
ReviewState = Annotated[Literal["waiting", "approved", "rejected"] | None, _Open]
_Trouble = Annotated[str, Spelled(r"[a-z]{1,20}/\w{1,60}", "must be a stage and a kind, such as teacher/unreachable")]
_ROW = r"[cv]\d{1,18}"
_Row = Annotated[str, Spelled(f"({_ROW})?", "must be a node, such as c12 for a chain or v34 for a variant")]
_Rows = Annotated[
    str, Field(max_length=4_000), Spelled(f"({_ROW}(,{_ROW})*)?", "must be nodes with commas between, such as c12,v34")
]
Sort = Literal["position", "-position", "usable", "-usable", "bins", "-bins"]


class ChainFilter(BaseModel):
    """Which chains of a run. Unknown names are refused, so that a misspelt filter never shows everything."""

    model_config = ConfigDict(extra="forbid")

    environment: Annotated[str | None, _Open] = Field(default=None, description="One environment.")
    arm: Arm = Field(default=None, description="The run's own strategy (main) or its single-turn baseline.")
    chain: Annotated[int | None, _Open] = Field(default=None, ge=1, lt=2**63, description="Id of one chain.")
    state: ChainState = Field(default=None, description="How far the chain is.")
    stop: Annotated[str | None, _Open] = Field(
        default=None, max_length=60, description="Why the chain ended, such as turns_used."
    )

    trouble: Annotated[_Trouble | None, _Open] = Field(
        default=None, description="Met an infrastructure error of this stage and kind: teacher/unreachable."
    )

    @field_validator("environment")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in registry.environments():
            raise ValueError(f"There is no environment {name!r}; known: {', '.join(registry.environments())}.")
        return name


class VariantFilter(ChainFilter):
    """Which variants, beside the filter of their chains."""

    bin: BinName = Field(default=None, description="Difficulty bin of the pass rate (broad set).")
    invalid: Annotated[str | None, _Open] = Field(
        default=None, max_length=60, description="none (valid ones), any, or the machine name of one failed check."
    )
    turn: Annotated[int | None, _Open] = Field(default=None, ge=1, le=1_000, description="One turn.")
    rate_min: Annotated[float | None, _Open] = Field(default=None, ge=0, le=1, description="Pass rates from here on.")
    rate_max: Annotated[float | None, _Open] = Field(
        default=None, ge=0, le=1, description="Pass rates below this; equal to rate_min: exactly this one."
    )
    review: ReviewState = Field(default=None, description="What people decided; waiting: nobody has yet.")
    usable: Annotated[bool | None, _Open] = Field(
        default=None, description="Valid, unique, in no benchmark, and measured within the run's kept band."
    )
    repeats: Annotated[Literal["duplicate", "similar", "known", "benchmark"] | None, _Open] = Field(
        default=None,
        description="duplicate: the same program as an earlier variant; similar: nearly that of another tree; known: "
        "nearly that of an older run; benchmark: shares something with a benchmark set.",
    )
    asked: Annotated[bool | None, _Open] = Field(
        default=None, description="Grown on a person's request, or by the run itself."
    )
    q: Annotated[str | None, _Open] = Field(
        default=None, max_length=200, description="Text that the teacher's reply or the seed's source holds."
    )

    @property
    def active(self) -> dict[str, object]:
        """The filters that are set, by name."""
        return {name: getattr(self, name) for name in VariantFilter.model_fields if getattr(self, name) is not None}

    @property
    def picks_variants(self) -> bool:
        """Whether chains without a matching variant are left out."""
        return bool(set(self.active) - set(ChainFilter.model_fields))


class ChainQuery(ChainFilter):
    """A page of a run's chains."""

    sort: Annotated[Sort, _InOrder] = Field(default="position", description="A leading minus turns the order around.")
    after: int | None = Field(default=None, ge=1, lt=2**63, description="Id of the last chain of the page before.")
    limit: int = Field(default=50, ge=1, le=200)


class TreeQuery(VariantFilter):
    """A page of the tree grid: what is shown, which node is chosen, and which nodes are folded."""

    sort: Annotated[Sort, _InOrder] = "position"
    node: Annotated[str, Spelled(r"(c?\d{1,18})?", "must be the id of a variant, or c12 for chain 12")] = Field(
        default="", description="The chosen variant, or c12 for chain 12."
    )
    fold: bool = Field(default=False, description="Fold all chains but the flipped ones.")
    flip: _Rows = Field(default="", description="Nodes that are not as `fold` has them: c12 is a chain, v34 a variant.")
    after: _Row = Field(default="", description="The row before the page.")
    before: _Row = Field(default="", description="The row after the page.")

    @property
    def chosen(self) -> tuple[str, int]:
        """("v", id) for a variant, ("c", id) for a chain, ("", 0) for nothing."""
        if not self.node:
            return "", 0
        return ("c", int(self.node[1:])) if self.node[0] == "c" else ("v", int(self.node))

    @cached_property
    def flipped(self) -> frozenset[str]:
        return frozenset(filter(None, self.flip.split(",")))

    def flipped_ids(self, kind: str) -> list[int]:
        return sorted(int(key[1:]) for key in self.flipped if key[0] == kind)

    def flipping(self, key: str) -> str | None:
        """The value of `flip` once `key` is opened or closed; None where nothing is left."""
        return ",".join(sorted(self.flipped ^ {key})) or None
