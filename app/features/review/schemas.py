"""What people say of a variant, and what they are told then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from app.features.chains.schemas import RunFacts, VariantRow
from app.features.review.votes import Vote

UNDOABLE = 20
MOST_PICKS = 500

# Machine name -> what it says; the place in the list is the key that picks it.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "unclear": "Unclear statement",
        "mismatch": "Statement and code differ",
        "trivial": "Too trivial",
        "arbitrary": "Hard for no purpose",
        "guessable": "Can be guessed",
        "leaks": "Gives its answer away",
        "resembles": "Too close to another",
        "unsuitable": "Unsuitable content",
        "other": "Other: see the comment",
    }
)


class Ballot(BaseModel):
    """One decision as it is sent."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["approve", "reject"]
    reason: str = Field(
        default="", validate_default=True, description="For a rejection: one of " + ", ".join(REASONS) + "."
    )
    comment: str = Field(
        default="",
        validate_default=True,
        max_length=2_000,
        description="Free text; required for the reason `other`.",
    )
    content_hash: str = Field(min_length=1, max_length=80, description="Of the problem that was seen.")
    seen: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Id of the last decision on it that was seen, 0 for none; left out: decide whatever others said.",
    )

    @field_validator("reason")
    @classmethod
    def _known(cls, reason: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if kind == "approve" and reason:
            raise ValueError("An approval has no reason.")
        if kind == "reject" and reason not in REASONS:
            raise ValueError(f"A rejection needs a reason: one of {', '.join(REASONS)}.")
        return reason

    @field_validator("comment")
    @classmethod
    def _telling(cls, text: str, info: ValidationInfo) -> str:
        text = text.replace("\r\n", "\n").strip()
        if info.data.get("reason") == "other" and not text:
            raise ValueError("The reason `other` needs a comment that tells it.")
        return text


class Pick(BaseModel):
    """A variant chosen for a decision on many, as it was seen."""

    variant_id: int
    seen: int
    content_hash: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what `str` writes. Raises ValueError."""
        variant_id, seen, content_hash = text.split(":", 2)
        return cls(variant_id=int(variant_id), seen=int(seen), content_hash=content_hash)

    def __str__(self) -> str:
        return f"{self.variant_id}:{self.seen}:{self.content_hash}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision. `repeated`: it had been recorded before, and is one vote."""

    decision_id: int
    variant_id: int
    run_id: int
    state: str
    message: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row picked for approval; `obstacle` tells why it can't be, "" where it can."""

    row: VariantRow
    pick: Pick
    obstacle: str


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """How many were approved now, how many had been by the same person before, and what was left out and why."""

    approved: int
    repeated: int
    left_out: Sequence[str]

    @property
    def message(self) -> str:
        parts = [f"Approved {self.approved} {'variant' if self.approved == 1 else 'variants'}."]
        if self.repeated:
            parts.append(f"{self.repeated} had your approval already.")
        parts += [f"Left out: {why}" for why in self.left_out[:3]]
        if len(self.left_out) > 3:
            parts.append(f"{len(self.left_out) - 3} more were left out.")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Mine:
    """One of the actor's own decisions that still counts; `with_others` names who else voted on the variant since."""

    vote: Vote
    run_id: int
    place: str
    headline: str
    with_others: Sequence[str]


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that deciding on one variant needs."""

    row: VariantRow
    votes: Sequence[Vote]
    counting: Sequence[Vote]
    seen: int
    may_decide: bool
    obstacle: str
    recent: Sequence[Mine]


@dataclass(frozen=True, slots=True)
class QueueRun:
    """A run in the list of what waits for a decision."""

    id: int
    name: str
    state: str
    created_at: datetime
    usable: int
    waiting: int
    approved: int
    rejected: int


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a reviewer stands: the next variant (None: nothing waits), how many wait, and how many there are."""

    run: RunFacts
    variant_id: int | None
    waiting: int
    total: int
    waiting_unfiltered: int
    wrapped: bool
