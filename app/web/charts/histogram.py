"""How many variants have which pass rate, over the bands of the bins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.domain.difficulty import BROAD, Bin, bin_of
from app.web.charts.ticks import Tick, ticks
from app.web.filters import number, plural
from app.web.filters import rate as rate_text

LEFT, RIGHT, TOP, AXIS = 36.0, 8.0, 20.0, 34.0
_CELLS = 16  # two of the 31 inner rates of 32 attempts each
_APART = 16.0  # between the bars of 0 and 1 and the rest
_LETTER, _LINE = 6.5, 12.0  # room that a name takes: per letter in a wide font, and per line


@dataclass(frozen=True, slots=True)
class Bar:
    """The variants whose rate is at least `low` and below `high`; at the ends, exactly 0 or 1."""

    low: float
    high: float
    count: int
    href: str
    text: str
    bin: str | None
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class HistogramBand:
    """`y` is the foot of its name, which stands one line higher where the band is too narrow for it."""

    name: str
    x: float
    width: float
    y: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    width: float
    height: float
    base: float
    bars: Sequence[Bar]
    bands: Sequence[HistogramBand]
    ticks: Sequence[Tick]
    marks: Sequence[tuple[str, float]]
    total: int
    left: float = LEFT
    top: float = TOP

    @property
    def summary(self) -> str:
        held = ", ".join(f"{number(band.count)} {band.name}" for band in self.bands)
        return f"Pass rates of {plural(self.total, 'variant')}: {held}"


def histogram(
    counts: Iterable[tuple[float, int]],
    href: Callable[[float, float], str],
    *,
    bins: Sequence[Bin] = BROAD,
    width: float = 560.0,
    height: float = 180.0,
) -> Histogram:
    """`counts` pairs a pass rate with how many variants have it; `href(low, high)` is the address of the rows between.

    Rates of exactly 0 and 1 stand apart at the ends: they are never kept.
    """
    counts = list(counts)
    cells = [0] * (_CELLS + 2)
    for value, count in counts:
        cells[0 if value <= 0 else -1 if value >= 1 else 1 + int(value * _CELLS)] += count
    base, left, right = height - AXIS, LEFT, width - RIGHT
    step = (right - left - 2 * _APART) / len(cells)
    inner = left + step + _APART

    def x_of(value: float) -> float:
        return inner + value * step * _CELLS

    def is_narrow(b: Bin) -> bool:
        return (b.band.high - b.band.low) * step * _CELLS < len(b.name) * _LETTER

    top = TOP + _LINE if any(map(is_narrow, bins)) else TOP
    axis = ticks(max(cells), base, base - top)
    bars = []
    for at, count in enumerate(cells):
        low, high = min(1.0, max(0, at - 1) / _CELLS), min(1.0, at / _CELLS) if at else 0.0
        end = at in (0, len(cells) - 1)
        x = left if at == 0 else right - step if end else x_of(low)
        tall = count / axis[-1].value * (base - top) if axis[-1].value else 0.0
        where = {0.0: "never solved", 1.0: "always solved"}[low] if end else f"{rate_text(low)} to {rate_text(high)}"
        bars.append(
            Bar(
                low,
                high,
                count,
                href(low, high),
                f"{where}: {plural(count, 'variant')}",
                None if end else bin_of((low + high) / 2, bins),
                round(x + 1, 1),
                round(base - tall, 1),
                round(step - 2, 1),
                round(tall, 1),
            )
        )
    bands = [
        HistogramBand(
            b.name,
            round(x_of(b.band.low), 1),
            round(x_of(b.band.high) - x_of(b.band.low), 1),
            top - 7 - (_LINE if is_narrow(b) else 0),
            sum(count for value, count in counts if bin_of(value, bins) == b.name),
        )
        for b in sorted(bins, key=lambda b: b.band.low)
    ]
    marks = [("0", left + step / 2), *((f"{q:g}", x_of(q)) for q in (0.25, 0.5, 0.75)), ("1", right - step / 2)]
    total = sum(cells)
    return Histogram(width, height, base, bars, bands, axis, [(t, round(x, 1)) for t, x in marks], total, top=top)
