"""The cost to aim at, from the costs of earlier variants and the pass rates that they had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Rates nearer to the ends than this are not told apart by 32 attempts.
_END = 0.03
# Where all variants lie on one side of the goal: a part of the way that the slope promises, more with every variant
# that has not reached the other side.
_CAUTION, _FASTER = 0.8, 1.25


class Measured(NamedTuple):
    cost: float
    rate: float


def next_cost(points: Sequence[Measured], goal: float, slope: float) -> float | None:
    """Interpolates in log odds between the nearest rates around the goal, or goes on from the last on one side of it.

    `slope` says how many log odds a unit of cost takes away, before anything is known. None without points.
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
    if not points:
        return None
    nearest = min(points, key=lambda point: abs(logit(point.rate) - logit(goal)))
    way = (logit(nearest.rate) - logit(goal)) / slope
    return nearest.cost + way * _CAUTION * float(_FASTER ** (len(points) - 1))


def logit(rate: float) -> float:
    rate = min(max(rate, _END), 1 - _END)
    return math.log(rate / (1 - rate))
