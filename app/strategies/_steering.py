"""What strategies share: repairs, dead ends, and steps from a variant towards a band."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from app.domain.difficulty import Band
from app.domain.tree import Direction, Node, Place, Step

_REPAIRS = 2
# Rates are compared as log odds, within this distance from the ends, where 32 attempts no longer tell them apart.
_END = 0.02


def measured(nodes: Sequence[Node]) -> list[Node]:
    """The variants with a pass rate, in the order of growth."""
    return sorted((node for node in nodes if node.measured), key=lambda node: node.place)


def repairs(nodes: Sequence[Node], turn: int) -> Iterator[Step]:
    """One repair for each invalid proposal of the last turn that has not been repaired twice already."""
    by_place = {node.place: node for node in nodes}
    for node in nodes:
        if node.place.turn == turn and node.invalid is not None and _repairs_before(node, by_place) < _REPAIRS:
            yield Step(Direction.REPAIR, node.step.target, node.place)


def _repairs_before(node: Node | None, by_place: dict[Place, Node]) -> int:
    count = 0
    while node is not None and node.invalid is not None and node.step.direction is Direction.REPAIR:
        count += 1
        node = by_place.get(node.step.parent) if node.step.parent else None
    return count


def is_stuck(nodes: Sequence[Node]) -> bool:
    """Whether the last two measured variants were both solved never, or both always."""
    last = [rate_of(node) for node in measured(nodes)[-2:]]
    return last in ([0.0, 0.0], [1.0, 1.0])


def by_distance(nodes: Sequence[Node], goal: Band) -> list[Node]:
    """Variants by the distance of their log odds to the goal; of equals the younger first."""
    middle = log_odds(goal.middle)

    def distance(node: Node) -> tuple[float, int, int]:
        # Rounded, so that 0.1 and 0.9 are equally far from 0.5.
        return round(abs(log_odds(rate_of(node)) - middle), 9), -node.place.turn, -node.place.branch

    return sorted(nodes, key=distance)


def towards(goal: Band, parent: Node) -> Step:
    rate = rate_of(parent)
    if rate < goal.low:
        return Step(Direction.EASIER, goal, parent.place)
    if rate > goal.high:
        return Step(Direction.HARDER, goal, parent.place)
    return Step(Direction.VARY, goal, parent.place)


def rate_of(node: Node) -> float:
    if node.rate is None:
        raise ValueError(f"variant {node.place} has no pass rate")
    return node.rate


def log_odds(rate: float) -> float:
    rate = min(max(rate, _END), 1 - _END)
    return math.log(rate / (1 - rate))


def unique(steps: Iterator[Step]) -> Iterator[Step]:
    seen: set[Step] = set()
    for step in steps:
        if step not in seen:
            seen.add(step)
            yield step
