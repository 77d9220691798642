"""The rule of arXiv 2603.24202: steer by the last pass rates into the target band, then collect stepping stones.

Until a variant lies in the target band, each turn starts from the variant whose pass rate is nearest to it and goes
easier or harder. From then on the turns walk outwards, to an easy and a hard variant of the same task, then to the
bins between. An invalid proposal is repaired, at most twice in a row. Two variants in a row that nobody or everybody
solves show that the idea itself is a dead end, and the next turn starts again from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import ClassVar

from app.domain.difficulty import BROAD, Band
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Step
from app.strategies import _steering as steering

# The order in which missing bins are aimed at: the ends of a chain first.
_OUTWARDS = ("easy", "hard", "easy-medium", "medium")
_BINS = {bin.name: bin.band for bin in BROAD}


class Adaptive:
    name: ClassVar[str] = "adaptive"
    title: ClassVar[str] = "Adaptive"
    remembers: ClassVar[bool] = True

    def next(self, nodes: Sequence[Node], plan: Plan) -> Sequence[Step]:
        """With branching, the steps of one turn differ in parent, target or direction as far as there is a choice."""
        turn = max((node.place.turn for node in nodes), default=0)
        if turn >= plan.turns:
            return ()
        steps = list(islice(steering.unique(_wishes(nodes, turn, plan.target)), plan.branching))
        # More branches than different things to ask for: ask again.
        return [steps[i % len(steps)] for i in range(plan.branching)]


def _wishes(nodes: Sequence[Node], turn: int, target: Band) -> Iterator[Step]:
    """Steps worth taking, best first; to start from the seed comes last, and is always there."""
    measured = steering.measured(nodes)
    goals = _goals(measured, target)
    yield from steering.repairs(nodes, turn)
    if steering.is_stuck(measured):
        yield Step(Direction.FIRST, goals[0])
    for choice in range(len(measured)):
        for goal in goals:
            yield steering.towards(goal, steering.by_distance(measured, goal)[choice])
    for goal in (goals[0], *(_BINS[name] for name in _OUTWARDS)):
        yield Step(Direction.FIRST, goal)


def _goals(measured: Sequence[Node], target: Band) -> list[Band]:
    """The bands to aim at, most wanted first."""
    rates = [steering.rate_of(node) for node in measured]
    if not any(rate in target for rate in rates):
        return [target]
    missing = [_BINS[name] for name in _OUTWARDS if not any(rate in _BINS[name] for rate in rates)]
    return [*missing, target]
