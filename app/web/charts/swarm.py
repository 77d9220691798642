"""Placing marks side by side so that none overlaps: what keeps a crowded turn legible."""

from __future__ import annotations

import math
from collections.abc import Sequence


def swarm(heights: Sequence[float], distance: float) -> list[float]:
    """A horizontal offset for each mark at the given heights, as small as its predecessors allow.

    Marks are placed in the order given; any two end up at least `distance` apart.
    """
    offsets: list[float] = []
    for at, height in enumerate(heights):
        taken = []
        for other, offset in zip(heights[:at], offsets, strict=True):
            if (rise := abs(height - other)) < distance:
                reach = math.sqrt(distance * distance - rise * rise)
                taken.append((offset - reach, offset + reach))
        offsets.append(_nearest_free(taken))
    return offsets


def _nearest_free(taken: list[tuple[float, float]]) -> float:
    """The point nearest to 0 outside all the open intervals."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(taken):
        if merged and low < merged[-1][1] - 1e-9:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    for low, high in merged:
        if low < 0 < high:
            return high if high <= -low else low
    return 0.0


def rows(count: int, per_row: int, pitch: float) -> list[tuple[float, float]]:
    """Offsets (right, down) of `count` marks in centred rows."""
    places = []
    for at in range(count):
        row, column = divmod(at, per_row)
        in_row = min(per_row, count - row * per_row)
        places.append(((column - (in_row - 1) / 2) * pitch, row * pitch))
    return places
