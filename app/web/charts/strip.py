"""A chain in the height of a line: its variants from left to right, their pass rates from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.difficulty import BROAD, bin_of
from app.web.filters import plural, rate

_TOP, _BASE, _RAIL = 5.0, 20.0, 28.0
_WIDTH, _WIDEST, _NARROWEST = 132.0, 22.0, 9.0  # of a strip, and of the column of one turn


@dataclass(frozen=True, slots=True)
class Dot:
    """A variant: measured (a round mark, with its bin's colour), under way (a ring) or invalid (a square below)."""

    shape: str
    bin: str | None
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Strip:
    """`top` and `base` are the heights of the rates 1 and 0."""

    width: float
    height: float
    dots: Sequence[Dot]
    text: str
    top: float = _TOP
    base: float = _BASE


def strip(outcomes: Sequence[tuple[int, float | None, str | None]], turns: int) -> Strip:
    """(turn, pass rate, why invalid) in the order of growth; neither rate nor reason: still under way.

    Branches of one turn share its column. There is room for `turns` columns.
    """
    step = min(_WIDEST, max(_NARROWEST, _WIDTH / turns))
    dots, said = [], []
    for turn, value, invalid in outcomes:
        x = round(step * (turn - 0.5), 1)
        if invalid is not None:
            dots.append(Dot("square", None, x, _RAIL))
            said.append(invalid.replace("_", " "))
        elif value is None:
            dots.append(Dot("ring", None, x, (_TOP + _BASE) / 2))
            said.append("under way")
        else:
            dots.append(Dot("round", bin_of(value, BROAD), x, round(_BASE - value * (_BASE - _TOP), 1)))
            said.append(rate(value))
    return Strip(step * turns, _RAIL + 4, dots, f"{plural(len(dots), 'variant')}: {', '.join(said)}")
