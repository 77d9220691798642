"""The paper's rule, turn by turn."""

from __future__ import annotations

import pytest

from app.domain.difficulty import BROAD, Band
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Place, Step
from app.strategies.adaptive import Adaptive

TARGET = Band(0.35, 0.65)
EASY, EASY_MEDIUM, _, HARD = (bin.band for bin in BROAD)


def chain(*ends: float | str | None, turns: int = 20) -> list[Node]:
    """The nodes of an unbranched chain whose turns ended like this."""
    nodes: list[Node] = []
    for turn, end in enumerate(ends, 1):
        (step,) = Adaptive().next(nodes, Plan(turns, 1, TARGET))
        nodes.append(
            Node(Place(turn), step, None if isinstance(end, str) else end, end if isinstance(end, str) else None)
        )
    return nodes


def after(*ends: float | str | None) -> Step:
    (step,) = Adaptive().next(chain(*ends), Plan(20, 1, TARGET))
    return step


def test_the_first_turn_starts_from_the_seed() -> None:
    assert after() == Step(Direction.FIRST, TARGET)


@pytest.mark.parametrize(
    ("rate", "direction"),
    [(0.0, Direction.EASIER), (0.3, Direction.EASIER), (0.7, Direction.HARDER), (1.0, Direction.HARDER)],
)
def test_a_variant_outside_the_band_is_mutated_towards_it(rate: float, direction: Direction) -> None:
    assert after(rate) == Step(direction, TARGET, Place(1))


def test_the_variant_nearest_to_the_band_is_mutated() -> None:
    assert after(0.9, 0.7, 1.0).parent == Place(2)
    assert after(0.1, 0.9, 0.02).parent == Place(2)


def test_of_equally_near_variants_the_younger_is_mutated() -> None:
    assert after(0.75, 0.75).parent == Place(2)


def test_from_the_band_it_walks_outwards() -> None:
    assert after(0.5) == Step(Direction.EASIER, EASY, Place(1))
    assert after(0.5, 0.9) == Step(Direction.HARDER, HARD, Place(1))
    assert after(0.5, 0.9, 0.2) == Step(Direction.EASIER, EASY_MEDIUM, Place(1))
    assert after(0.5, 0.9, 0.2, 0.7) == Step(Direction.VARY, TARGET, Place(1))


def test_a_stone_that_was_missed_is_aimed_at_again_from_where_one_got_to() -> None:
    assert after(0.5, 0.7) == Step(Direction.EASIER, EASY, Place(2))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_two_dead_ends_in_a_row_start_again_from_the_seed(rate: float) -> None:
    assert after(0.5, rate, rate).direction is Direction.FIRST
    assert after(rate, "timeout", "timeout", "timeout", rate).direction is Direction.FIRST
    assert after(rate, 0.4, rate).direction is not Direction.FIRST


def test_an_invalid_variant_is_repaired_twice_at_most() -> None:
    assert after("timeout") == Step(Direction.REPAIR, TARGET, Place(1))
    assert after("timeout", "timeout") == Step(Direction.REPAIR, TARGET, Place(2))
    assert after("timeout", "timeout", "timeout") == Step(Direction.FIRST, TARGET)
    assert after(0.7, "timeout", "timeout", "timeout") == Step(Direction.HARDER, TARGET, Place(1))


def test_a_repair_keeps_the_target() -> None:
    assert after(0.5, "syntax_error") == Step(Direction.REPAIR, EASY, Place(2))


def test_a_repaired_variant_is_a_variant_like_any_other() -> None:
    assert after("timeout", 0.8) == Step(Direction.HARDER, TARGET, Place(2))


def test_a_variant_without_verdicts_steers_nothing() -> None:
    assert after(None) == Step(Direction.FIRST, TARGET)
    assert after(0.7, None) == Step(Direction.HARDER, TARGET, Place(1))


def test_branches_ask_for_different_things() -> None:
    for nodes in ([], chain(0.8), chain(0.5), chain(0.5, 0.9), chain(0.0, 0.0), chain("timeout")):
        steps = Adaptive().next(nodes, Plan(20, 4, TARGET))
        assert len(set(steps)) == 4


def test_branches_repair_every_invalid_one_first() -> None:
    first = Step(Direction.FIRST, TARGET)
    nodes = [
        Node(Place(1, 1), first, invalid="timeout"),
        Node(Place(1, 2), first, 0.5),
        Node(Place(1, 3), first, invalid="memory"),
    ]
    steps = Adaptive().next(nodes, Plan(6, 3, TARGET))
    assert steps[:2] == [Step(Direction.REPAIR, TARGET, Place(1, 1)), Step(Direction.REPAIR, TARGET, Place(1, 3))]
    assert steps[2] == Step(Direction.EASIER, EASY, Place(1, 2))
