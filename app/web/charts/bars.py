"""Small bars: shares of a whole, yield by turn beside the baseline, and a line without axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.difficulty import wilson
from app.web.charts.ticks import Tick, ticks
from app.web.filters import percent, plural

# --- One bar of shares ---

_OPACITIES = (1.0, 0.7, 0.5, 0.36, 0.25)  # of the largest share, the next, and so on


@dataclass(frozen=True, slots=True)
class Segment:
    label: str
    count: int
    share: float
    href: str
    opacity: float
    x: float
    width: float

    @property
    def text(self) -> str:
        return f"{self.label}: {self.count} ({percent(self.share)})"


@dataclass(frozen=True, slots=True)
class Stack:
    width: float
    height: float
    total: int
    segments: Sequence[Segment]


def stack(parts: Iterable[tuple[str, int, str]], *, width: float = 480.0, height: float = 14.0) -> Stack:
    """(label, count, href), largest first, as shares of one bar. Empty parts are left out."""
    present = sorted((part for part in parts if part[1]), key=lambda part: (-part[1], part[0]))
    total = sum(count for _, count, _ in present)
    segments, x = [], 0.0
    for at, (label, count, href) in enumerate(present):
        share = count / total
        segments.append(
            Segment(label, count, share, href, _OPACITIES[min(at, 4)], round(x, 2), round(share * width, 2))
        )
        x += share * width
    return Stack(width, height, total, segments)


# --- Yield ---


@dataclass(frozen=True, slots=True)
class Column:
    """Usable variants per teacher call. `rate` is None below the minimum of calls: then nothing is drawn."""

    series: str
    usable: int
    calls: int
    href: str
    rate: float | None
    x: float
    y: float
    width: float
    height: float

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.usable, self.calls)

    @property
    def text(self) -> str:
        return f"{self.series}: {plural(self.usable, 'usable variant')} of {plural(self.calls, 'teacher call')}"


@dataclass(frozen=True, slots=True)
class TurnYield:
    """One turn: the run's column, and the baseline's at the same number of calls."""

    turn: int
    x: float
    run: Column
    baseline: Column | None


@dataclass(frozen=True, slots=True)
class YieldChart:
    width: float
    height: float
    base: float
    turns: Sequence[TurnYield]
    ticks: Sequence[Tick]
    minimum: int
    left: float = 36.0

    @property
    def compared(self) -> bool:
        return any(turn.baseline for turn in self.turns)

    @property
    def drawn(self) -> bool:
        """Whether any turn has calls enough for a bar."""
        return any(column.rate is not None for turn in self.turns for column in (turn.run, turn.baseline) if column)


def yield_by_turn(
    run: Sequence[tuple[int, int, str]],
    baseline: Sequence[tuple[int, int, str]] = (),
    *,
    minimum: int = 10,
    width: float = 480.0,
    height: float = 180.0,
) -> YieldChart:
    """(usable, calls, href) per turn from turn 1, beside the single-turn baseline's at the same number of calls."""
    base, top, left = height - 24.0, 20.0, 36.0
    shown = [usable / calls for usable, calls, _ in (*run, *baseline) if calls >= max(1, minimum)]
    axis = ticks(max(shown, default=1.0), base, base - top, whole=False)
    step = (width - left) / max(1, len(run))
    bar = min(34.0, step * (0.42 if baseline else 0.6))

    def column(series: str, entry: tuple[int, int, str], x: float) -> Column:
        usable, calls, href = entry
        rate = usable / calls if calls >= max(1, minimum) else None
        tall = (rate or 0.0) / axis[-1].value * (base - top)
        return Column(series, usable, calls, href, rate, round(x, 1), round(base - tall, 1), bar, round(tall, 1))

    turns = []
    for at, entry in enumerate(run):
        middle = left + step * (at + 0.5)
        beside = column("single-turn", baseline[at], middle + 1) if at < len(baseline) else None
        first = column("this run", entry, middle - bar - 1 if baseline else middle - bar / 2)
        turns.append(TurnYield(at + 1, round(middle, 1), first, beside))
    return YieldChart(width, height, base, turns, axis, minimum)
