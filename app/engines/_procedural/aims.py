"""The cost to aim at, from the costs of earlier variants and the pass rates that they had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Rates nearer to the ends than this are not told apart by 32 attempts.
_END = 0.02
# The first step where all variants lie on one side of the goal: fixed part, and part per unit of log odds.
_STEP, _STEP_PER_LOGIT, _FASTER = 0.25, 0.2, 1.5


class Measured(NamedTuple):
    cost: float
    rate: float


def next_cost(points: Sequence[Measured], goal: float) -> float | None:
    """Interpolates in log odds between the nearest rates around the goal; steps beyond the last where it lies outside.

    None without points.
    """
    below = [point for point in points if point.rate < goal]
    above = [point for point in points if point.rate >= goal]
    if below and above:
        hard = max(below, key=lambda point: point.rate)
        easy = min(above, key=lambda point: point.rate)
        if hard.cost <= easy.cost:  # the estimate is wrong here: the middle is as good as any
            return (hard.cost + easy.cost) / 2
        share = (logit(easy.rate) - logit(goal)) / (logit(easy.rate) - logit(hard.rate) + 1e-9)
        return easy.cost + share * (hard.cost - easy.cost)
    if below:
        step = _step(logit(goal) - logit(max(point.rate for point in below)), len(below))
        return min(point.cost for point in below) - step
    if above:
        step = _step(logit(min(point.rate for point in above)) - logit(goal), len(above))
        return max(point.cost for point in above) + step
    return None


def _step(distance: float, count: int) -> float:
    """Grows with every variant that has not reached the other side."""
    return float((_STEP + _STEP_PER_LOGIT * distance) * _FASTER ** (count - 1))


def logit(rate: float) -> float:
    rate = min(max(rate, _END), 1 - _END)
    return math.log(rate / (1 - rate))
