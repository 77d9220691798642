"""The difficulty map of one chain: turns from left to right, pass rates from top to bottom, children joined to parents.

One look tells whether a chain holds an easy, a medium and a hard stepping stone. Filled stones lie in a bin, hollow
ones between or outside the bins; invalid variants are squares on a rail below, unmeasured ones wait on another.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.domain.difficulty import NARROW, Bin, Tally, bin_of
from app.web.charts.labels import Label, place_labels
from app.web.charts.swarm import rows, swarm
from app.web.filters import rate as rate_text

LEFT, RIGHT, TOP, PLOT = 92.0, 74.0, 16.0, 248.0
BETWEEN = 46.0  # room for the curves between two turns
_RAIL_GAP = 30.0
# Stones drawn, then their radius and the least distance of two centres. 24 px is the least target of WCAG 2.2.
_SIZES = ((60, 7.0, 24.0), (200, 5.0, 13.0), (math.inf, 3.5, 9.0))
_LABELLED = 48  # with more stones than this, names are in the titles and the table alone


NO_VERDICTS = Tally(0, 0)


@dataclass(frozen=True, slots=True)
class Stone:
    """A variant to draw. `key` and `parent` are its address and its parent's; `invalid` the machine name of why.

    `mark` is "", "approved" or "rejected"; `asked` tells that a person asked for it.
    """

    key: str
    turn: int
    href: str
    parent: str | None = None
    tally: Tally = NO_VERDICTS
    invalid: str = ""
    title: str = ""
    direction: str = ""
    mark: str = ""
    asked: bool = False

    @property
    def rate(self) -> float | None:
        return None if self.invalid else self.tally.rate()


@dataclass(frozen=True, slots=True)
class Placed:
    """A stone with its place. `whisker` holds the ends of its interval, or None where too many would be drawn."""

    stone: Stone
    x: float
    y: float
    bin: str | None = None
    chosen: bool = False
    whisker: tuple[float, float] | None = None

    @property
    def shape(self) -> str:
        return "square" if self.stone.invalid else "waiting" if self.stone.rate is None else "round"

    @property
    def text(self) -> str:
        """What the mark says to a pointer and to a screen reader."""
        stone, tally = self.stone, self.stone.tally
        parts = [f"{stone.key} {stone.title}".strip()]
        if stone.invalid:
            parts.append(f"invalid: {stone.invalid}")
        elif stone.rate is None:
            parts.append("not measured yet")
        else:
            low, high = tally.interval
            parts.append(f"pass rate {rate_text(stone.rate)} ({tally.passed} of {tally.n})")
            parts.append(f"95% interval {rate_text(low)} to {rate_text(high)}")
            parts.append(self.bin or "in no bin")
        return ", ".join(parts + [stone.mark] * bool(stone.mark) + ["grown on request"] * stone.asked)


@dataclass(frozen=True, slots=True)
class BandBox:
    """The stripe of one bin and how many stones lie in it."""

    name: str
    low: float
    high: float
    y: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Link:
    """A curve from parent to child; `kind` is "", "dead" (to an invalid child) or "trail" (to the chosen stone)."""

    start: tuple[float, float]
    end: tuple[float, float]
    kind: str

    @property
    def path(self) -> str:
        """A cubic Bézier curve, level at both ends."""
        (x1, y1), (x2, y2) = self.start, self.end
        middle = round((x1 + x2) / 2, 1)
        return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"

    @property
    def points(self) -> list[tuple[float, float]]:
        """Points along the curve, close enough together to see what it crosses."""
        (x1, y1), (x2, y2) = self.start, self.end
        middle = (x1 + x2) / 2
        steps = [at / 24 for at in range(1, 24)]
        weights = [((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in steps]
        return [((a * x1 + (b + c) * middle + d * x2), ((a + b) * y1 + (c + d) * y2)) for a, b, c, d in weights]


@dataclass(frozen=True, slots=True)
class DifficultyMap:
    width: float
    height: float
    radius: float
    hit: float
    bands: Sequence[BandBox]
    turns: Sequence[tuple[int, float]]
    rails: Sequence[tuple[str, float]]
    links: Sequence[Link]
    stones: Sequence[Placed]
    labels: Sequence[Label]
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = TOP + PLOT

    @property
    def asked(self) -> bool:
        """Whether somebody asked for any of the stones."""
        return any(placed.stone.asked for placed in self.stones)

    @property
    def summary(self) -> str:
        """The map in one sentence."""
        held = ", ".join(f"{band.count or 'none'} {band.name}" for band in self.bands)
        invalid = sum(bool(placed.stone.invalid) for placed in self.stones)
        return f"{len(self.stones)} variants over {len(self.turns)} turns: {held}; {invalid or 'none'} invalid"


def difficulty_map(
    stones: Iterable[Stone], *, bins: Sequence[Bin] = NARROW, chosen: str | None = None, width: float = 640.0
) -> DifficultyMap:
    """Places the stones of one chain. The map is `width` wide, or wider where its turns need more room."""
    stones = sorted(stones, key=lambda stone: (stone.turn, stone.key))
    radius, pitch = next((r, d) for most, r, d in _SIZES if len(stones) <= most)
    rails, rail_height = _rails(stones, pitch)
    columns = _columns(stones, rails, pitch)
    centres, width = _centres(columns, radius, width)
    trail = _trail({stone.key: stone for stone in stones}, chosen)
    placed = [
        Placed(
            stone,
            round(centres[stone.turn] + offset, 1),
            round(y, 1),
            None if stone.rate is None else bin_of(stone.rate, bins),
            stone.key == chosen,
            _whisker(stone) if len(stones) <= _SIZES[0][0] else None,
        )
        for column in columns.values()
        for stone, offset, y in column
    ]
    links = _links(placed, trail)
    labels: Sequence[Label] = ()
    if len(stones) <= _LABELLED:
        curves = [point for link in links for point in link.points]
        labels = place_labels([(p.stone.key, p.x, p.y) for p in placed], radius, curves)
    bottom = TOP + PLOT + (_RAIL_GAP * len(rails) + rail_height if rails else 10)
    return DifficultyMap(
        width=round(width, 1),
        height=round(bottom + 26, 1),
        radius=radius,
        hit=min(12.0, pitch / 2),
        bands=[_band(b, placed) for b in bins],
        turns=[(turn, round(x, 1)) for turn, x in centres.items()],
        rails=[(name, round(y, 1)) for name, y in rails.items()],
        links=links,
        stones=placed,
        labels=labels,
    )


def height_of(rate: float) -> float:
    """Where a pass rate lies: 1 on top."""
    return TOP + (1 - rate) * PLOT


_Column = list[tuple[Stone, float, float]]  # stone, offset from the centre of its turn, height


def _rails(stones: Sequence[Stone], pitch: float) -> tuple[dict[str, float], float]:
    """The height of each rail that has something on it, and how far the marks reach below the last one's first row."""
    rails: dict[str, float] = {}
    y, extra = TOP + PLOT, 0.0
    for name, lies in (("unmeasured", _waits), ("invalid", _is_invalid)):
        turns = [stone.turn for stone in stones if lies(stone)]
        if turns:
            y += _RAIL_GAP + extra
            rails[name] = y
            most = max(turns.count(turn) for turn in set(turns))
            extra = (math.ceil(most / _per_row(most)) - 1) * pitch
    reach = (y + extra) - (TOP + PLOT) - _RAIL_GAP * len(rails)
    return rails, reach + 12


def _waits(stone: Stone) -> bool:
    return not stone.invalid and stone.rate is None


def _is_invalid(stone: Stone) -> bool:
    return bool(stone.invalid)


def _per_row(count: int) -> int:
    return max(2, math.ceil(math.sqrt(count)))


def _columns(stones: Sequence[Stone], rails: Mapping[str, float], pitch: float) -> dict[int, _Column]:
    by_turn: dict[int, list[Stone]] = defaultdict(list)
    for stone in stones:
        by_turn[stone.turn].append(stone)
    columns: dict[int, _Column] = {}
    for turn, members in by_turn.items():
        measured = [(stone, height_of(rate)) for stone in members if (rate := stone.rate) is not None]
        measured.sort(key=lambda pair: (pair[1], pair[0].key))
        offsets = swarm([y for _, y in measured], pitch)
        column = [(stone, offset, y) for (stone, y), offset in zip(measured, offsets, strict=True)]
        for name, lies in (("unmeasured", _waits), ("invalid", _is_invalid)):
            group = [stone for stone in members if lies(stone)]
            places = rows(len(group), _per_row(len(group)), pitch)
            column += [(s, dx, rails[name] + dy) for s, (dx, dy) in zip(group, places, strict=True)]
        columns[turn] = column
    return columns


def _centres(columns: Mapping[int, _Column], radius: float, width: float) -> tuple[dict[int, float], float]:
    """The middle of each turn, and the whole width. Room that is left over is shared between the turns."""
    spans = {
        turn: (min(0.0, *(o for _, o, _ in column)) - radius, max(0.0, *(o for _, o, _ in column)) + radius)
        for turn, column in columns.items()
    }
    needed = LEFT + RIGHT + sum(high - low + BETWEEN for low, high in spans.values())
    spare = max(0.0, width - needed) / max(1, len(spans))
    centres, x = {}, LEFT
    for turn, (low, high) in spans.items():
        x += (BETWEEN + spare) / 2 - low
        centres[turn] = x
        x += high + (BETWEEN + spare) / 2
    return centres, max(width, needed)


def _trail(stones: Mapping[str, Stone], chosen: str | None) -> set[str]:
    """The chosen stone and its ancestors."""
    trail: set[str] = set()
    while chosen and chosen in stones and chosen not in trail:
        trail.add(chosen)
        chosen = stones[chosen].parent
    return trail


def _whisker(stone: Stone) -> tuple[float, float] | None:
    if stone.rate is None:
        return None
    low, high = stone.tally.interval
    return round(height_of(high), 1), round(height_of(low), 1)


def _band(b: Bin, placed: Sequence[Placed]) -> BandBox:
    top, bottom = height_of(b.band.high), height_of(b.band.low)
    count = sum(p.bin == b.name for p in placed)
    return BandBox(b.name, b.band.low, b.band.high, round(top, 1), round(bottom - top, 1), count)


def _links(placed: Sequence[Placed], trail: set[str]) -> list[Link]:
    by_key = {p.stone.key: p for p in placed}
    links = []
    for child in placed:
        parent = by_key.get(child.stone.parent or "")
        if parent:
            on_trail = child.stone.key in trail and parent.stone.key in trail
            kind = "trail" if on_trail else "dead" if child.stone.invalid else ""
            links.append(Link((parent.x, parent.y), (child.x, child.y), kind))
    return sorted(links, key=lambda link: link.kind == "trail")  # the trail is drawn over the others
