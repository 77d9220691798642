"""Where a branch that a person asks for may go from a variant, and which pass rates it aims at."""

from __future__ import annotations

from app.domain.difficulty import BROAD, Band, bin_of
from app.domain.tree import Direction

LONGEST_INSTRUCTION = 2_000
MOST_CHILDREN, MOST_TURNS = 8, 6

# Half the width of what is aimed at where a rate lies in no bin.
_NEAR = 0.1


def choices(*, invalid: bool) -> tuple[Direction, ...]:
    """An invalid variant can only be mended, a valid one only left."""
    return (Direction.REPAIR,) if invalid else (Direction.EASIER, Direction.HARDER, Direction.VARY)


def aim(direction: Direction, rate: float | None, own: Band, target: Band) -> Band:
    """The band of a branch's first turn.

    `rate` is the variant's, `own` the band that it was aimed at itself, `target` the run's: a direction that leads
    there goes there, one that leads away from it goes to the next bin.
    """
    if rate is None or direction is Direction.REPAIR:
        return own
    match direction:
        case Direction.EASIER:
            beyond = [b.band for b in reversed(BROAD) if b.band.low >= rate]
            return target if rate < target.low else beyond[0] if beyond else Band(rate, 1.0)
        case Direction.HARDER:
            beyond = [b.band for b in BROAD if b.band.high <= rate]
            return target if rate > target.high else beyond[0] if beyond else Band(0.0, rate)
    here = bin_of(rate)
    near = Band(round(max(0.0, rate - _NEAR), 4), round(min(1.0, rate + _NEAR), 4))
    return next((b.band for b in BROAD if b.name == here), near)
