"""What a claim grows, turn by turn: a chain by its arm's strategy, or the branches that a person asked for.

A course is pure: it tells from finished variants what comes next, so that whoever takes the work over goes on alike.
What it looks at is the same whenever it looks. A chain does not see the branches that were asked for beside it, nor do
these see more of the tree than the way that leads to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.domain.ports import Plan, Strategy
from app.domain.tree import Node, Place, Step
from app.features.runs.arms import early_stop_of, plan_of, strategy_of, strategy_onwards
from app.features.runs.claims import Asked, Claim
from app.features.runs.early_stop import went_nowhere
from app.features.runs.schemas import EarlyStop, RunConfig
from app.features.runs.stored import StoredVariant

Grown = Mapping[Place, StoredVariant]

TURNS_USED = "turns_used"
STRATEGY_ENDED = "strategy_ended"

# Wishes of a strategy that are looked through for one that stays in the branch.
_WISHES = 8


class Course(Protocol):
    @property
    def remembers(self) -> bool:
        """Whether the teacher is told what led to a place."""
        ...

    @property
    def instruction(self) -> str: ...

    def steps(self, turn: int, grown: Grown) -> Mapping[Place, Step]:
        """What to write at which place of the turn; empty when there is no further one."""
        ...

    def end(self, turn: int, grown: Grown) -> str:
        """Why there are no steps for the turn."""
        ...

    def before(self, place: Place, grown: Grown) -> list[StoredVariant]:
        """What led to a place, in the order of growth: it is told to the teacher, and must not be repeated."""
        ...

    def parts(self, place: Place) -> tuple[int | str, ...]:
        """What is asked at a place: everything random there derives from it."""
        ...


@dataclass(frozen=True, slots=True)
class OwnCourse:
    """That of a chain."""

    strategy: Strategy
    plan: Plan
    early_stop: EarlyStop

    @property
    def remembers(self) -> bool:
        return self.strategy.remembers

    @property
    def instruction(self) -> str:
        return ""

    def steps(self, turn: int, grown: Grown) -> Mapping[Place, Step]:
        nodes = self._nodes(turn, grown)
        steps = () if went_nowhere(nodes, self.early_stop) else self.strategy.next(nodes, self.plan)
        return {Place(turn, branch): step for branch, step in enumerate(steps, 1)}

    def end(self, turn: int, grown: Grown) -> str:
        if turn > self.plan.turns:
            return TURNS_USED
        return went_nowhere(self._nodes(turn, grown), self.early_stop) or STRATEGY_ENDED

    def _nodes(self, turn: int, grown: Grown) -> list[Node]:
        return [variant.node for variant in self.before(Place(turn), grown)]

    def before(self, place: Place, grown: Grown) -> list[StoredVariant]:
        return [variant for at, variant in sorted(grown.items()) if at.turn < place.turn]

    def parts(self, place: Place) -> tuple[int | str, ...]:
        return place.turn, place.branch


@dataclass(frozen=True, slots=True)
class AskedCourse:
    """That of a request: its children first, then each goes on by the strategy as a line of its own."""

    asked: Asked
    strategy: Strategy
    plan: Plan

    @property
    def remembers(self) -> bool:
        return True

    @property
    def instruction(self) -> str:
        return self.asked.instruction

    def steps(self, turn: int, grown: Grown) -> Mapping[Place, Step]:
        asked = self.asked
        if turn > self.plan.turns:
            return {}
        places = [Place(turn, asked.first_branch + line) for line in range(asked.children)]
        if turn == asked.origin.turn + 1:
            return dict.fromkeys(places, Step(asked.direction, asked.target, asked.origin))
        steps = {place: self._onwards(place, grown) for place in places}
        return {place: step for place, step in steps.items() if step is not None}

    def end(self, turn: int, grown: Grown) -> str:  # noqa: ARG002
        return TURNS_USED if turn > self.plan.turns else STRATEGY_ENDED

    def _onwards(self, place: Place, grown: Grown) -> Step | None:
        """The strategy's first wish that starts in this line; None where the line has ended.

        Where the strategy would rather start again from the seed, that is no branch of this variant.
        """
        line = self._line(place, grown)
        if not line or line[-1].node.place.turn != place.turn - 1:
            return None
        nodes = [grown[self.asked.origin].node, *(variant.node for variant in line)]
        wishes = self.strategy.next(nodes, self.plan)
        return next((step for step in wishes if step.parent is not None), None)

    def before(self, place: Place, grown: Grown) -> list[StoredVariant]:
        way = [variant for at, variant in sorted(grown.items()) if not self._is_own(at)]
        return [*way, *self._line(place, grown)]

    def _line(self, place: Place, grown: Grown) -> list[StoredVariant]:
        turns = range(self.asked.origin.turn + 1, place.turn)
        return [found for turn in turns if (found := grown.get(Place(turn, place.branch)))]

    def _is_own(self, place: Place) -> bool:
        return 0 <= place.branch - self.asked.first_branch < self.asked.children

    def parts(self, place: Place) -> tuple[int | str, ...]:
        asked = self.asked
        return "asked", asked.digest, place.turn - asked.origin.turn, place.branch - asked.first_branch


def course_of(claim: Claim, config: RunConfig) -> Course:
    if claim.asked is None:
        return OwnCourse(strategy_of(config, claim.arm), plan_of(config, claim.arm), early_stop_of(config, claim.arm))
    last = claim.asked.origin.turn + claim.asked.turns
    return AskedCourse(claim.asked, strategy_onwards(config), Plan(last, _WISHES, config.target.band))
