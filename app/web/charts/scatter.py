"""Two pass rates of each variant against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.difficulty import BROAD, Bin, bin_of
from app.web.filters import plural
from app.web.filters import rate as rate_text

LEFT, RIGHT, TOP, AXIS = 34.0, 12.0, 12.0, 34.0
_SMALLEST, _LARGEST = 2.5, 11.0  # radii


@dataclass(frozen=True, slots=True)
class Spot:
    """`count` variants with the same two rates; the area grows with their number. `bin` is that of the second rate."""

    first: float
    second: float
    count: int
    bin: str | None
    x: float
    y: float
    radius: float
    text: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """`easier` counts variants whose second rate is higher, `harder` those whose is lower. n is `total`."""

    size: float
    spots: Sequence[Spot]
    marks: Sequence[tuple[str, float, float]]
    total: int
    easier: int
    harder: int
    left: float = LEFT
    top: float = TOP

    @property
    def base(self) -> float:
        return self.size - AXIS

    @property
    def right(self) -> float:
        return self.size - RIGHT

    @property
    def summary(self) -> str:
        same = self.total - self.easier - self.harder
        return (
            f"Two pass rates of {plural(self.total, 'variant')}: {self.easier:,} easier for the second student, "
            f"{self.harder:,} harder, {same:,} alike"
        )


def scatter(pairs: Iterable[tuple[float, float, int]], *, bins: Sequence[Bin] = BROAD, size: float = 320.0) -> Scatter:
    """`pairs` holds the first rate, the second one, and how many variants have both."""
    pairs = list(pairs)
    most = max((count for *_, count in pairs), default=1)
    width, height = size - LEFT - RIGHT, size - TOP - AXIS

    def x_of(rate: float) -> float:
        return round(LEFT + rate * width, 1)

    def y_of(rate: float) -> float:
        return round(TOP + (1 - rate) * height, 1)

    spots = [
        Spot(
            first,
            second,
            count,
            bin_of(second, bins),
            x_of(first),
            y_of(second),
            round(max(_SMALLEST, _LARGEST * math.sqrt(count / most)) if most > 1 else 2 * _SMALLEST, 1),
            f"{plural(count, 'variant')}: {rate_text(first)} before, {rate_text(second)} now",
        )
        for first, second, count in sorted(pairs, key=lambda pair: -pair[2])
    ]
    return Scatter(
        size,
        spots,
        [(f"{rate:g}", x_of(rate), y_of(rate)) for rate in (0, 0.25, 0.5, 0.75, 1)],
        total=sum(count for *_, count in pairs),
        easier=sum(count for first, second, count in pairs if second > first),
        harder=sum(count for first, second, count in pairs if second < first),
    )
