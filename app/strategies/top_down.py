"""First a hard variant, then a medium one derived from it, then an easy one derived from that.

So arXiv 2603.24202 builds its chains of easy, medium and hard (the narrow bins): the easier ones are parts of the real
hard problem. Turns that are left when the chain is complete vary its stones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import ClassVar

from app.domain.difficulty import NARROW
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Place, Step
from app.strategies import _steering as steering

_DOWNWARDS = tuple(bin.band for bin in reversed(NARROW))  # hard, medium, easy


class TopDown:
    name: ClassVar[str] = "top_down"
    title: ClassVar[str] = "Top down: hard, then medium, then easy"
    remembers: ClassVar[bool] = True

    def next(self, nodes: Sequence[Node], plan: Plan) -> Sequence[Step]:
        """With branching, further branches start from the next nearest variants."""
        turn = max((node.place.turn for node in nodes), default=0)
        if turn >= plan.turns:
            return ()
        steps = list(islice(steering.unique(_wishes(nodes, turn)), plan.branching))
        return list(islice(cycle(steps), plan.branching))


def _wishes(nodes: Sequence[Node], turn: int) -> Iterator[Step]:
    """Steps worth taking, best first; to start from the seed comes last, and is always there."""
    yield from steering.repairs(nodes, turn)
    family = steering.measured(nodes)
    stones: list[Node] = []
    for goal in _DOWNWARDS:
        found = [node for node in family if steering.rate_of(node) in goal]
        if not found:
            if not stones and steering.is_stuck(nodes):
                yield Step(Direction.FIRST, goal)
            for parent in steering.by_distance(family, goal):
                yield steering.towards(goal, parent)
            yield Step(Direction.FIRST, goal)
            return
        stones.append(found[0])
        family = _from(found[0], nodes, family)
    for goal, stone in zip(_DOWNWARDS, stones, strict=True):
        yield steering.towards(goal, stone)


def _from(stone: Node, nodes: Sequence[Node], family: Sequence[Node]) -> list[Node]:
    """The stone and what was derived from it."""
    parents = {node.place: node.step.parent for node in nodes}

    def descends(place: Place | None) -> bool:
        while place is not None and place != stone.place:
            place = parents.get(place)
        return place is not None

    return [node for node in family if descends(node.place)]
