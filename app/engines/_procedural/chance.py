"""The one source of randomness: every draw follows from what seeded it, on any machine and under any hash seed."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random


def seeded(*parts: int | str) -> Random:
    """A generator that depends on `parts` alone."""
    return Random("/".join(map(str, parts)))  # noqa: S311  (reproducible sampling, no secrets)


def weighted(rng: Random, weights: Mapping[str, float]) -> str:
    """A key drawn in proportion to its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]
