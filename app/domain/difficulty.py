"""Pass rates, their intervals and the difficulty bins.

Bin edges: arXiv 2603.24202, the narrow set (chains) and the broad set (curricula), over 32 attempts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# Two-sided 95% quantile of the standard normal distribution.
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Band:
    """A closed interval of pass rates, 0 to 1."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(f"a band needs 0 <= low <= high <= 1, not {self.low} to {self.high}")

    def __contains__(self, rate: float) -> bool:
        return self.low <= rate <= self.high

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Bin:
    """A named difficulty, easiest first in every list of bins."""

    name: str
    band: Band


# Neighbouring broad bins share an edge; `bin_of` gives a rate on an edge to the easier one.
BROAD = (
    Bin("easy", Band(0.85, 0.97)),
    Bin("easy-medium", Band(0.61, 0.85)),
    Bin("medium", Band(0.26, 0.61)),
    Bin("hard", Band(0.10, 0.26)),
)
NARROW = (
    Bin("easy", Band(0.81, 0.91)),
    Bin("medium", Band(0.41, 0.59)),
    Bin("hard", Band(0.05, 0.16)),
)
KEPT = Band(0.01, 0.97)
COMPLETE = frozenset({"easy", "medium", "hard"})


def bin_of(rate: float, bins: Iterable[Bin] = BROAD) -> str | None:
    """The first (easiest) bin that holds `rate`, or None where it lies between or outside the bins."""
    return next((b.name for b in bins if rate in b.band), None)


def is_complete(rates: Iterable[float], bins: Iterable[Bin] = NARROW) -> bool:
    """Whether the rates of one tree hold an easy, a medium and a hard variant."""
    bins = tuple(bins)
    return {bin_of(rate, bins) for rate in rates} >= COMPLETE


def wilson(passed: int, n: int) -> tuple[float, float]:
    """The 95% score interval of a proportion (Wilson 1927); (0, 1) where nothing was observed."""
    if not 0 <= passed <= n:
        raise ValueError(f"passed must lie between 0 and n, not {passed} of {n}")
    if n == 0:
        return 0.0, 1.0
    p = passed / n
    z2 = _Z95 * _Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At the ends the exact bound is the end itself; rounding must not move it inwards.
    return (0.0 if passed == 0 else max(0.0, centre - half)), (1.0 if passed == n else min(1.0, centre + half))


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts of one variant under one student profile. Errors are shown, but stand outside the pass rate."""

    passed: int
    failed: int
    errors: int = 0

    @property
    def n(self) -> int:
        """The denominator: attempts with a verdict."""
        return self.passed + self.failed

    def rate(self, minimum: int = 1) -> float | None:
        """The pass rate, or None below `minimum` verdicts."""
        return self.passed / self.n if self.n >= max(minimum, 1) else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.passed, self.n)
