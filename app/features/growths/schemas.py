"""What people ask for when they grow from a variant, and what they are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.domain.asking import LONGEST_INSTRUCTION, MOST_CHILDREN, MOST_TURNS
from app.domain.difficulty import Band
from app.domain.text import storable
from app.domain.tree import Direction

# State of the run -> what asking for branches does there.
RULES: Mapping[str, str] = MappingProxyType(
    {
        "running": "The run is running: these branches grow beside it, at once.",
        "paused": "The run is paused: these branches wait, and grow when it is resumed.",
        "finished": "The run is finished: it runs again for these branches alone, and is finished when they are.",
        "cancelled": "The run is cancelled: it runs again for these branches alone, and is cancelled again when they "
        "are done. Its own chains stay where they are.",
    }
)


class Request(BaseModel):
    """Branches to grow from a variant."""

    model_config = ConfigDict(extra="forbid")

    direction: Literal["easier", "harder", "vary", "repair"] = Field(
        description="Where the children go from the variant: repair where it is invalid, one of the others where not."
    )
    instruction: str = Field(
        default="",
        max_length=LONGEST_INSTRUCTION,
        description="What the teacher is asked in addition, at every turn of these branches.",
    )
    children: int = Field(default=1, ge=1, le=MOST_CHILDREN, description="Children to grow, each a branch of its own.")
    turns: int = Field(
        default=1,
        ge=1,
        le=MOST_TURNS,
        description="Turns per branch: the children, then on from each by the run's strategy.",
    )
    seen: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Id of the last request from this variant that was seen, 0 for none. Sent twice with it, the same "
        "is asked once; left out, every request is a new one.",
    )

    @field_validator("instruction")
    @classmethod
    def _trimmed(cls, text: str) -> str:
        return storable(text.replace("\r\n", "\n")).strip()


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """A request and how far it is. `asked_by` is empty for somebody whose account is gone."""

    id: int
    run_id: int
    chain_id: int
    variant_id: int
    place: str
    direction: str
    instruction: str
    children: int
    turns: int
    target: Band
    state: str
    stop_reason: str
    turns_done: int
    asked_by: str
    asked_at: datetime
    follows_text: bool
    variants: Sequence[int] = ()

    @property
    def story(self) -> str:
        """Who asked for what, in one sentence."""
        asked = f"grown by {self.asked_by or 'somebody'} on request: {self.direction}, from {self.place}"
        return f"{asked}: “{self.instruction}”" if self.instruction else asked

    @property
    def progress(self) -> str:
        if self.state == "open":
            return f"turn {self.turns_done + 1} of {self.turns}"
        if self.stop_reason == "turns_used":
            return "done"
        return (self.stop_reason or self.state).replace("_", " ")


@dataclass(frozen=True, slots=True)
class Choice:
    """A direction that can be asked for, and what it would aim at."""

    direction: Direction
    target: Band


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be asked for at a variant. With an `obstacle` nothing can, and it says why."""

    choices: Sequence[Choice]
    obstacle: str
    rule: str
    strategy: str
    teacher: str
    follows_text: bool
    attempts: int
    seen: int
    earlier: Sequence[GrowthRow]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request. `repeated`: it had been made before, and is one."""

    growth: GrowthRow
    message: str
    repeated: bool = False
