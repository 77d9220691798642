"""Searches between the hardest variant that the student can solve and the easiest that it can't.

Each turn aims at the middle of the widest gap between neighbouring pass rates, measured in log odds, where nothing
lies yet; at first that gap reaches from always solved to never solved. So the stones of a chain spread evenly over
difficulty, and the border of what the student can do is found in few turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle, islice, pairwise
from typing import ClassVar

from app.domain.difficulty import Band
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Step
from app.strategies import _steering as steering

# Half the width of the band aimed at, in log odds: about 0.38 to 0.62 around an even chance.
_HALF_WIDTH = 0.5


class Bisect:
    name: ClassVar[str] = "bisect"
    title: ClassVar[str] = "Bisect: halve the widest gap in difficulty"
    remembers: ClassVar[bool] = True

    def next(self, nodes: Sequence[Node], plan: Plan) -> Sequence[Step]:
        """With branching, further branches halve the next widest gaps."""
        turn = max((node.place.turn for node in nodes), default=0)
        if turn >= plan.turns:
            return ()
        steps = list(islice(steering.unique(_wishes(nodes, turn, plan.target)), plan.branching))
        return list(islice(cycle(steps), plan.branching))


def _wishes(nodes: Sequence[Node], turn: int, target: Band) -> Iterator[Step]:
    """Steps worth taking, best first; to start from the seed comes last, and is always there."""
    yield from steering.repairs(nodes, turn)
    ladder = sorted(steering.measured(nodes), key=steering.rate_of)
    if steering.is_stuck(nodes):
        yield Step(Direction.FIRST, target)
    for below, above in sorted(pairwise([None, *ladder, None]), key=_width, reverse=True):
        goal = _middle(below, above)
        # From the easier side where there is one: what a student solves can always be made a little harder.
        for parent in (above, below):
            if parent is not None:
                yield steering.towards(goal, parent)
    yield Step(Direction.FIRST, target)


def _ends(below: Node | None, above: Node | None) -> tuple[float, float]:
    """The gap's ends in log odds; None stands for never solved below and for always solved above."""
    low = steering.log_odds(steering.rate_of(below)) if below else steering.log_odds(0.0)
    high = steering.log_odds(steering.rate_of(above)) if above else steering.log_odds(1.0)
    return low, high


def _width(gap: tuple[Node | None, Node | None]) -> float:
    low, high = _ends(*gap)
    return round(high - low, 9)


def _middle(below: Node | None, above: Node | None) -> Band:
    low, high = _ends(below, above)
    middle = (low + high) / 2
    return Band(_rate(middle - _HALF_WIDTH), _rate(middle + _HALF_WIDTH))


def _rate(log_odds: float) -> float:
    return round(1 / (1 + math.exp(-log_odds)), 4)
