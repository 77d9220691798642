"""A problem as the teacher makes it, before anyone else has checked it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

Arguments = tuple[object, ...]


class Made(NamedTuple):
    source: str
    inputs: Sequence[Arguments]
    message: str = ""
    cost: float = 0.0


class Rejected(Exception):
    """A program that makes no problem in this environment; says why in a word."""


class Wish(NamedTuple):
    """What is aimed at: a cost (None: any), values of about this size, and the environment's settings."""

    cost: float | None
    size: int
    options: Mapping[str, object]

    def nearest(self, costs: Sequence[float], rng: Random) -> int:
        """The place of the cost nearest to the one aimed at; any place where none is."""
        if self.cost is None:
            return rng.randrange(len(costs))
        aim = self.cost
        return min(range(len(costs)), key=lambda place: abs(costs[place] - aim))

    def number(self, name: str, default: int) -> int:
        value = self.options.get(name, default)
        return value if isinstance(value, int) else default
