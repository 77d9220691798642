"""Names beside marks, each where it covers nothing, or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_CHARACTER, _LINE = 6.4, 11.0  # the size of 11 px text, in CSS pixels

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Label:
    """A text whose middle lies at x, its baseline at y."""

    text: str
    x: float
    y: float


def place_labels(marks: Sequence[tuple[str, float, float]], radius: float) -> list[Label]:
    """A label for each (text, x, y) below, above, right or left of its mark: the first place that is free."""
    taken = [(x - radius, y - radius, x + radius, y + radius) for _, x, y in marks]
    labels = []
    for text, x, y in marks:
        half = len(text) * _CHARACTER / 2
        side = radius + half + 3
        for dx, dy in ((0, radius + 12), (0, -radius - 5), (side, 4), (-side, 4)):
            box = x + dx - half, y + dy - _LINE + 2, x + dx + half, y + dy + 2
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                labels.append(Label(text, round(x + dx, 1), round(y + dy, 1)))
                break
    return labels


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
