"""What the gallery shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.domain.difficulty import Tally, bin_of

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


@dataclass(frozen=True)
class Gallery:
    """The context of gallery/page.html."""

    rows: list[Row] = field(default_factory=lambda: ROWS)
    selected: str = "3.1"
    old: str = OLD
    new: str = NEW
    long_old: str = LONG
    long_new: str = LONG.replace("value % 13", "value % 17")
    message: str = "Merge runs that are already ordered. Where keys are equal, keep the order of the runs."
    moments: tuple[datetime, ...] = (
        NOW - timedelta(seconds=4), NOW - timedelta(minutes=7), NOW - timedelta(days=3), NOW - timedelta(days=90)
    )
