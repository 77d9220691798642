"""What the gallery shows."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.domain.difficulty import BROAD, Tally, bin_of
from app.web.charts import (
    Accumulation,
    DifficultyMap,
    Histogram,
    Stack,
    Stone,
    YieldChart,
    accumulation,
    difficulty_map,
    histogram,
    stack,
    yield_by_turn,
)

OLD = '''import heapq
import itertools


def f(runs, key=None, limit=None):
    """Merge ordered runs into one list."""
    if not runs:
        return []
    merged = heapq.merge(*runs, key=key)
    return list(itertools.islice(merged, limit))
'''
NEW = '''import heapq
import itertools


def f(runs, key=None, limit=None, *, reverse=False):
    """Merge ordered runs into one list, stable under ties."""
    if not runs:
        return []
    # Equal keys keep the order of their runs.
    tagged = (((key(x) if key else x), i, x)
              for i, run in enumerate(runs) for x in run)
    merged = (x for _, _, x in sorted(tagged, reverse=reverse))
    return list(itertools.islice(merged, limit))
'''
LONG = "\n".join(f"def step_{i}(state, value):\n    return state * {i + 2} + value % {i + 7}\n" for i in range(12))
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Row:
    place: str
    title: str
    level: int
    direction: str
    tally: Tally
    state: str = ""
    review: str = ""
    expanded: bool | None = None

    @property
    def bin(self) -> str | None:
        rate = self.tally.rate()
        return None if rate is None else bin_of(rate)


ROWS = [
    Row("1.1", "merge ordered runs", 1, "first", Tally(32, 0), "always solved", "", True),
    Row("2.1", "…with a key and a limit", 2, "harder", Tally(14, 18), "", "approved 2 of 2", True),
    Row("3.1", "…stable under ties", 3, "harder", Tally(4, 28), "", "waiting", True),
    Row("4.1", "", 4, "easier", Tally(0, 0), "nondeterministic"),
    Row("4.2", "…ties by position", 4, "easier", Tally(17, 14, 1), "", "waiting", False),
    Row("3.2", "…in place", 3, "vary", Tally(22, 10), "", "rejected"),
    Row("5.1", "…of two runs", 4, "easier", Tally(28, 4), "", ""),
    Row("6.1", "…with gaps", 5, "harder", Tally(0, 32), "never solved", ""),
]


def _stone(key: str, parent: str | None, passed: int, n: int = 32, **more: str) -> Stone:
    return Stone(key, int(key.split(".")[0]), f"#{key}", parent, Tally(passed, n - passed), **more)


CHAIN = [
    _stone("1.1", None, 32, title="merge ordered runs", direction="first"),
    _stone("2.1", "1.1", 14, title="with a key and a limit", direction="harder", mark="approved"),
    _stone("3.1", "2.1", 4, title="stable under ties", direction="harder"),
    _stone("3.2", "2.1", 17, title="in place", direction="vary", mark="rejected"),
    _stone("4.1", "3.1", 0, 0, invalid="nondeterministic", direction="easier"),
    _stone("4.2", "3.1", 16, 31, title="ties by position", direction="easier"),
    _stone("5.1", "3.2", 28, title="of two runs", direction="easier", mark="approved"),
    _stone("5.2", "4.1", 15, title="mended", direction="repair"),
    _stone("6.1", "4.2", 3, title="with gaps", direction="harder"),
    _stone("6.2", "4.2", 0, 0, title="", direction="easier"),
]


def grown(count: int, turns: int, seed: int) -> list[Stone]:
    """A tree of `count` stones: children scatter around their parents' pass rates; one in eight is invalid."""
    draw = random.Random(seed)
    stones: list[Stone] = []
    levels: list[list[Stone]] = []
    for turn in range(1, turns + 1):
        size = 1 if turn == 1 else max(1, round((count - 1) * turn / sum(range(2, turns + 1))))
        level = []
        for branch in range(1, min(size, count - len(stones)) + 1):
            parent = draw.choice(levels[-1]) if levels else None
            start = parent.tally.passed if parent and parent.rate is not None else 20
            passed = min(32, max(0, round(draw.gauss(start, 8))))
            invalid = draw.choice(("timeout", "same_outputs", "syntax_error")) if draw.random() < 0.125 else ""
            level.append(
                _stone(
                    f"{turn}.{branch}", parent.key if parent else None, passed, 0 if invalid else 32, invalid=invalid
                )
                if not invalid
                else Stone(
                    f"{turn}.{branch}", turn, f"#{turn}.{branch}", parent.key if parent else None, invalid=invalid
                )
            )
        levels.append(level)
        stones += level
    return stones


def rates() -> list[tuple[float, int]]:
    draw = random.Random(7)
    counts: dict[float, int] = {}
    for _ in range(1_400):
        rate = round(draw.betavariate(0.7, 0.6) * 32) / 32
        counts[rate] = counts.get(rate, 0) + 1
    return sorted(counts.items())


REASONS = [
    ("same_outputs", 61, "#"),
    ("missing_block", 12, "#"),
    ("nondeterministic", 34, "#"),
    ("timeout", 19, "#"),
    ("syntax_error", 4, "#"),
    ("message_reveals_code", 2, "#"),
    ("refers_to_earlier", 0, "#"),
]
RUN_YIELD = [(120, 400, "#"), (180, 400, "#"), (212, 396, "#"), (205, 388, "#"), (196, 371, "#"), (3, 6, "#")]
BASELINE = [(118, 400, "#"), (121, 400, "#"), (119, 396, "#"), (117, 388, "#"), (110, 371, "#"), (2, 6, "#")]


@dataclass(frozen=True)
class Dense:
    """The context of gallery/dense.html."""

    map: DifficultyMap = field(default_factory=lambda: difficulty_map(grown(500, 12, 5), chosen="9.11", width=1240))


@dataclass(frozen=True)
class Gallery:
    """The context of gallery/page.html."""

    map: DifficultyMap = field(default_factory=lambda: difficulty_map(CHAIN, chosen="6.1"))
    wide: DifficultyMap = field(
        default_factory=lambda: difficulty_map(grown(90, 12, 3), bins=BROAD, chosen="9.2", width=1240)
    )
    single: DifficultyMap = field(default_factory=lambda: difficulty_map(CHAIN[:1], width=360))
    histogram: Histogram = field(default_factory=lambda: histogram(rates(), lambda low, high: f"#{low}-{high}"))
    reasons: Stack = field(default_factory=lambda: stack(REASONS))
    found: Accumulation = field(
        default_factory=lambda: accumulation(
            [
                ("this run", [n - n // 4 for n in range(1, 61)], "#run"),
                ("single-turn", [n - n // 2 for n in range(1, 41)], "#baseline"),
            ]
        )
    )
    yields: YieldChart = field(default_factory=lambda: yield_by_turn(RUN_YIELD, BASELINE))

    rows: list[Row] = field(default_factory=lambda: ROWS)
    selected: str = "3.1"
    old: str = OLD
    new: str = NEW
    long_old: str = LONG
    long_new: str = LONG.replace("value % 13", "value % 17")
    message: str = "Merge runs that are already ordered. Where keys are equal, keep the order of the runs."
    moments: tuple[datetime, ...] = (
        NOW - timedelta(seconds=4),
        NOW - timedelta(minutes=7),
        NOW - timedelta(days=3),
        NOW - timedelta(days=90),
    )
