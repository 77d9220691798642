"""How many different things there are among the first n, as n grows: the flatter, the more of the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.charts.ticks import Tick, ticks
from app.web.filters import plural

LEFT, RIGHT, TOP, AXIS = 36.0, 12.0, 12.0, 34.0
_MARKS = 8  # places along a line that can be read and followed


@dataclass(frozen=True, slots=True)
class Mark:
    """`found` different ones among the first `n`."""

    n: int
    found: int
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is the class of its stroke: line, or ghost for what it is compared with."""

    series: str
    kind: str
    href: str
    points: str
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Accumulation:
    """`diagonal` is where each would be different from all before it, up to the end of the axis."""

    width: float
    height: float
    base: float
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    across: Sequence[tuple[str, float]]
    diagonal: tuple[float, float]
    left: float = LEFT


def accumulation(
    series: Sequence[tuple[str, Sequence[int], str]], *, width: float = 480.0, height: float = 240.0
) -> Accumulation:
    """(name, number of different ones among the first one, two, ..., address of the rows), the main one first."""
    longest = max((len(counts) for _, counts, _ in series), default=1) or 1
    most = max((counts[-1] for _, counts, _ in series if counts), default=1)
    base, length = height - AXIS, height - AXIS - TOP
    axis = ticks(most, base, length)
    top = axis[-1].value

    def x_of(n: float) -> float:
        return round(LEFT + n / longest * (width - LEFT - RIGHT), 1)

    def y_of(found: float) -> float:
        return round(base - found / top * length, 1)

    def line(at: int, name: str, counts: Sequence[int], href: str) -> Line:
        chosen = sorted({max(1, round(len(counts) * step / _MARKS)) for step in range(1, _MARKS + 1)} if counts else ())
        marks = [
            Mark(
                n,
                counts[n - 1],
                f"{name}: {plural(counts[n - 1], 'cluster')} among the first {n}",
                x_of(n),
                y_of(counts[n - 1]),
            )
            for n in chosen
        ]
        # A step per variant is finer than a pixel: the ends of its level stretches are enough.
        turns = [
            n for n, found in enumerate(counts, 1) if n in (1, len(counts)) or not counts[n - 2] == found == counts[n]
        ]
        points = " ".join([f"{x_of(0)},{y_of(0)}", *(f"{x_of(n)},{y_of(counts[n - 1])}" for n in turns)])
        return Line(name, "ghost" if at else "line", href, points, marks)

    reach = min(float(longest), top)
    across = ticks(longest, 0, 1)
    return Accumulation(
        width,
        height,
        base,
        [line(at, *entry) for at, entry in enumerate(series)],
        axis,
        [(tick.text, x_of(tick.value)) for tick in across if tick.value <= longest],
        (x_of(reach), y_of(reach)),
    )
