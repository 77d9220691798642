"""The rule of arXiv 2603.24202: steer by the last pass rates into the target band, then collect stepping stones.

Until a variant lies in the target band, each turn starts from the variant whose pass rate is nearest to it and goes
easier or harder. From then on the turns walk outwards, to an easy and a hard variant of the same task, then to the
bins between. An invalid proposal is repaired, at most twice in a row. Two variants in a row that nobody or everybody
solves show that the idea itself is a dead end, and the next turn starts again from the seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import ClassVar

from app.domain.difficulty import BROAD, Band
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Place, Step

_REPAIRS = 2
# The order in which missing bins are aimed at: the ends of a chain first.
_OUTWARDS = ("easy", "hard", "easy-medium", "medium")
_BINS = {bin.name: bin.band for bin in BROAD}
# Rates are compared as log odds, within this distance from the ends, where 32 attempts no longer tell them apart.
_END = 0.02


class Adaptive:
    name: ClassVar[str] = "adaptive"
    title: ClassVar[str] = "Adaptive"
    remembers: ClassVar[bool] = True

    def next(self, nodes: Sequence[Node], plan: Plan) -> Sequence[Step]:
        """With branching, the steps of one turn differ in parent, target or direction as far as there is a choice."""
        turn = max((node.place.turn for node in nodes), default=0)
        if turn >= plan.turns:
            return ()
        steps = list(islice(_unique(_wishes(nodes, turn, plan.target)), plan.branching))
        # More branches than different things to ask for: ask again.
        return [steps[i % len(steps)] for i in range(plan.branching)]


def _wishes(nodes: Sequence[Node], turn: int, target: Band) -> Iterator[Step]:
    """Steps worth taking, best first; to start from the seed comes last, and is always there."""
    measured = sorted((node for node in nodes if node.measured), key=lambda node: node.place)
    goals = _goals(measured, target)
    yield from _repairs(nodes, turn)
    if _stuck(measured):
        yield Step(Direction.FIRST, goals[0])
    for choice in range(len(measured)):
        for goal in goals:
            yield _towards(goal, _by_distance(measured, goal)[choice])
    for goal in (goals[0], *(_BINS[name] for name in _OUTWARDS)):
        yield Step(Direction.FIRST, goal)


def _goals(measured: Sequence[Node], target: Band) -> list[Band]:
    """The bands to aim at, most wanted first."""
    rates = [_rate(node) for node in measured]
    if not any(rate in target for rate in rates):
        return [target]
    missing = [_BINS[name] for name in _OUTWARDS if not any(rate in _BINS[name] for rate in rates)]
    return [*missing, target]


def _repairs(nodes: Sequence[Node], turn: int) -> Iterator[Step]:
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


def _stuck(measured: Sequence[Node]) -> bool:
    """Whether the last two measured variants were both solved never, or both always."""
    last = [_rate(node) for node in measured[-2:]]
    return last in ([0.0, 0.0], [1.0, 1.0])


def _by_distance(measured: Sequence[Node], goal: Band) -> list[Node]:
    """Variants by the distance of their log odds to the goal; of equals the younger first."""
    middle = _log_odds(goal.middle)

    def distance(node: Node) -> tuple[float, int, int]:
        # Rounded, so that 0.1 and 0.9 are equally far from 0.5.
        return round(abs(_log_odds(_rate(node)) - middle), 9), -node.place.turn, -node.place.branch

    return sorted(measured, key=distance)


def _towards(goal: Band, parent: Node) -> Step:
    rate = _rate(parent)
    if rate < goal.low:
        return Step(Direction.EASIER, goal, parent.place)
    if rate > goal.high:
        return Step(Direction.HARDER, goal, parent.place)
    return Step(Direction.VARY, goal, parent.place)


def _rate(node: Node) -> float:
    if node.rate is None:
        raise ValueError(f"variant {node.place} has no pass rate")
    return node.rate


def _log_odds(rate: float) -> float:
    rate = min(max(rate, _END), 1 - _END)
    return math.log(rate / (1 - rate))


def _unique(steps: Iterator[Step]) -> Iterator[Step]:
    seen: set[Step] = set()
    for step in steps:
        if step not in seen:
            seen.add(step)
            yield step
