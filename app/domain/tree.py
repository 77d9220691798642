"""The refinement tree of one seed in one environment, as strategies and teachers see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.domain.difficulty import Band
from app.domain.problem import Problem


class Direction(StrEnum):
    """Where a turn is told to go."""

    FIRST = "first"  # a new problem from the seed alone
    EASIER = "easier"
    HARDER = "harder"
    VARY = "vary"  # the same difficulty, other inputs or another twist
    REPAIR = "repair"  # the turn before was invalid: mend it


class Place(NamedTuple):
    """The address of a variant in its chain: turn from 1, branch from 1. Sorts in the order of growth."""

    turn: int
    branch: int = 1

    def __str__(self) -> str:
        return f"{self.turn}.{self.branch}"


class Step(NamedTuple):
    """What a strategy wants written next: a mutation of `parent` (None: from the seed) aimed at `target`."""

    direction: Direction
    target: Band
    parent: Place | None = None


class Node(NamedTuple):
    """A finished variant. `rate` is None where it is invalid (see `invalid`) or has too few verdicts."""

    place: Place
    step: Step
    rate: float | None = None
    invalid: str | None = None

    @property
    def measured(self) -> bool:
        return self.invalid is None and self.rate is not None


@dataclass(frozen=True, slots=True)
class Example:
    """A representative attempt told to the teacher and shown on screen."""

    kind: str  # shortest_pass, common_failure or outlier
    text: str
    reason: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One finished turn as told to the teacher: what it was asked in addition, what it wrote, and how that went."""

    node: Node
    reply: str
    problem: Problem | None = None
    invalid_detail: str = ""
    passed: int = 0
    n: int = 0
    examples: tuple[Example, ...] = ()
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything that a teacher is told for one proposal, as facts; prompts are rendered from it.

    `history` holds every finished turn of the chain in the order of growth (for the baseline: none; for a branch that
    a person asked for: the way to it). `seed_text` and `instruction` are untrusted data. `rng` makes a seeded teacher
    reproducible: it is derived from run, chain, turn and branch.
    """

    environment: str
    seed_text: str
    seed_kind: str  # solution or snippet
    step: Step
    rng: int
    history: tuple[PastTurn, ...] = ()
    instruction: str = ""
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
