"""The baseline: the same number of proposals, each from the seed alone, with no feedback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Step


class SingleTurn:
    name: ClassVar[str] = "single_turn"
    title: ClassVar[str] = "Single turn (baseline)"
    remembers: ClassVar[bool] = False

    def next(self, nodes: Sequence[Node], plan: Plan) -> Sequence[Step]:
        turn = max((node.place.turn for node in nodes), default=0)
        if turn >= plan.turns:
            return ()
        return (Step(Direction.FIRST, plan.target),) * plan.branching
