from __future__ import annotations

import pytest

from app.domain.asking import aim, choices
from app.domain.difficulty import Band
from app.domain.tree import Direction

OWN, TARGET = Band(0.2, 0.3), Band(0.35, 0.65)


@pytest.mark.parametrize(
    ("direction", "rate", "expected"),
    [
        (Direction.EASIER, 0.1, TARGET),
        (Direction.EASIER, 0.5, Band(0.61, 0.85)),
        (Direction.EASIER, 0.7, Band(0.85, 0.97)),
        (Direction.EASIER, 0.9, Band(0.9, 1.0)),
        (Direction.EASIER, 1.0, Band(1.0, 1.0)),
        (Direction.HARDER, 0.9, TARGET),
        (Direction.HARDER, 0.5, Band(0.1, 0.26)),
        (Direction.HARDER, 0.05, Band(0.0, 0.05)),
        (Direction.HARDER, 0.0, Band(0.0, 0.0)),
        (Direction.VARY, 0.5, Band(0.26, 0.61)),
        (Direction.VARY, 0.05, Band(0.0, 0.15)),
        (Direction.VARY, 1.0, Band(0.9, 1.0)),
        (Direction.REPAIR, None, OWN),
        (Direction.HARDER, None, OWN),
    ],
)
def test_a_direction_aims_at_the_target_or_at_the_next_bin(
    direction: Direction, rate: float | None, expected: Band
) -> None:
    assert aim(direction, rate, OWN, TARGET) == expected


def test_an_invalid_variant_can_only_be_mended() -> None:
    assert choices(invalid=True) == (Direction.REPAIR,)
    assert Direction.REPAIR not in choices(invalid=False)
