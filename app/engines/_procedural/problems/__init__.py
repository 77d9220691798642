"""How a program becomes a problem, and what such a problem costs, in each environment.

A cost is the teacher's own estimate of difficulty, on a scale of the environment's own where harder is more. What pass
rate it comes to is learnt from the pass rates in the history (see aims.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from app.engines._procedural.problems import abduction, deduction, fuzzing, induction
from app.engines._procedural.problems.made import Made, Wish
from app.engines._procedural.program import Program
from app.engines._procedural.workshop import Workshop


class Builder(Protocol):
    """One module per environment keeps this."""

    @property
    def SLOPE(self) -> float:
        """Log odds of the pass rate per unit of cost, roughly."""

    @property
    def STAGES(self) -> Sequence[int]:
        """How many stages are added to a piece for a first proposal, one of these."""

    @property
    def CANDIDATES(self) -> int:
        """Of how many that work the one with the best cost is proposed."""

    def build(self, program: Program, shop: Workshop, wish: Wish, /) -> Made:
        """Raises Rejected where the program makes no problem."""

    def cost(self, made: Made, program: Program | None, shop: Workshop, /) -> float:
        """The cost of a problem read back; `program` is None where it is of another make."""


BUILDERS: Mapping[str, Builder] = MappingProxyType(
    {"abduction": abduction, "deduction": deduction, "fuzzing": fuzzing, "induction": induction}
)
