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


def place_labels(
    marks: Sequence[tuple[str, float, float]], radius: float, lines: Sequence[tuple[float, float]] = ()
) -> list[Label]:
    """A label for each (text, x, y) beside its mark, at the first place that is free; whiskers run above and below.

    `lines` are points of curves that a label should rather not cross, but may.
    """
    taken = [(x - radius, y - radius, x + radius, y + radius) for _, x, y in marks]
    labels = []
    for text, x, y in marks:
        half = len(text) * _CHARACTER / 2
        side = 0.7 * radius + half + 3
        offsets = (side, 14), (side, -6), (-side, 14), (-side, -6), (0, radius + 13), (0, -radius - 6)
        boxes = [(x + dx - half, y + dy - _LINE + 2, x + dx + half, y + dy + 2) for dx, dy in offsets]
        free = [box for box in boxes if not any(_overlap(box, other) for other in taken)]
        if free:
            box = min(free, key=lambda box: sum(_holds(box, point) for point in lines))
            taken.append(box)
            labels.append(Label(text, round(box[0] + half, 1), round(box[3] - 2, 1)))
    return labels


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
