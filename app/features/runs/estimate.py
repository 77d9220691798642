"""Figures of a whole run from a few of its seeds.

Seeds are the units: each of them gives one total of what a run of that many such seeds would come to, and intervals are
those of Student's t over these totals. They tell how much seeds differ, not how servers fare under load. What is
too rare to show up in a few seeds is in no interval: where all came out alike, it is a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

# Two-sided 95% quantiles of Student's t, by degrees of freedom from 1.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate with its 95% interval, which never goes below zero."""

    mean: float
    low: float
    high: float

    @classmethod
    def around(cls, middle: float, half: float) -> Range:
        return cls(middle, max(0.0, middle - half), middle + half)

    def times(self, factor: float) -> Range:
        return Range(self.mean * factor, self.low * factor, self.high * factor)

    def at_most(self, limit: float) -> Range:
        """For what can't be more."""
        return Range(self.mean, self.low, min(self.high, limit))

    def plus(self, other: Range) -> Range:
        """Of two figures that rise and fall together."""
        return Range(self.mean + other.mean, self.low + other.low, self.high + other.high)


def over(totals: Sequence[float]) -> Range:
    """The mean of two totals or more."""
    return Range.around(mean(totals), _t(totals) * stdev(totals) / math.sqrt(len(totals)))


def ratio(pairs: Sequence[tuple[float, float]]) -> Range | None:
    """The sum of the firsts by that of the seconds, linearised; None where the latter is zero."""
    n, whole = len(pairs), sum(second for _, second in pairs)
    if not whole:
        return None
    rate = sum(first for first, _ in pairs) / whole
    spread = math.sqrt(n / (n - 1) * sum((first - rate * second) ** 2 for first, second in pairs))
    return Range.around(rate, _t(pairs) * spread / whole)


def _t(sample: Sequence[object]) -> float:
    return _T95[min(len(sample) - 2, len(_T95) - 1)]
