"""Bounded solvers, one per environment. Each sees what a student is shown, and success depends on how hard that is."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Protocol

from app.engines._procedural.solving import abduction, deduction, fuzzing, induction


class Solver(Protocol):
    """One module per environment keeps this."""

    def attempt(self, view: Mapping[str, object], rng: Random, budget: float, /) -> str:
        """An answer in its fenced block, or nothing. `budget` scales the effort: 1 is standard, more is stronger."""


SOLVERS: Mapping[str, Solver] = MappingProxyType(
    {"abduction": abduction, "deduction": deduction, "fuzzing": fuzzing, "induction": induction}
)
