"""Round figures along an axis of counts or shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.web.filters import short


@dataclass(frozen=True, slots=True)
class Tick:
    value: float
    text: str
    y: float


def ticks(largest: float, base: float, length: float, *, whole: bool = True) -> list[Tick]:
    """Three to six ticks from 0 to the first round figure that is not below `largest`.

    `base` is the height of 0 and `length` that of the axis; `whole` keeps fractions out of counts.
    """
    largest = largest or 1.0
    rough = largest / 3
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    if whole:
        step = max(1.0, step)
    count = max(1, math.ceil(largest / step - 1e-9))
    return [Tick(i * step, short(i * step), round(base - length * i / count, 1)) for i in range(count + 1)]
