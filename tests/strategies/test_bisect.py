import pytest

from app.domain.difficulty import Band
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Place, Step
from app.strategies.bisect import Bisect

TARGET = Band(0.35, 0.65)
PLAN = Plan(turns=12, branching=1, target=TARGET)


def nodes(*rates: float) -> list[Node]:
    return [Node(Place(turn), Step(Direction.FIRST, TARGET), rate) for turn, rate in enumerate(rates, 1)]


def following(*rates: float) -> Step:
    return Bisect().next(nodes(*rates), PLAN)[0]


def test_it_begins_at_the_target() -> None:
    assert following() == Step(Direction.FIRST, TARGET)


def test_between_solved_and_unsolved_it_aims_at_an_even_chance() -> None:
    step = following(1.0, 0.0)
    assert (step.direction, step.parent) == (Direction.HARDER, Place(1))
    assert step.target.low == pytest.approx(1 - step.target.high)
    assert 0.5 in step.target


def test_it_halves_the_widest_gap_from_its_easier_side() -> None:
    # Gaps in log odds: from never solved to 0.1, 0.1 to 0.3, 0.3 to always solved, which is the widest.
    step = following(0.1, 0.3)
    assert (step.direction, step.parent) == (Direction.EASIER, Place(2))
    assert step.target.low > 0.65
    step = following(0.95, 0.3, 0.1)
    assert (step.direction, step.parent) == (Direction.HARDER, Place(1))
    assert 0.3 < step.target.low < step.target.high < 0.95


def test_the_gaps_close_evenly() -> None:
    """A teacher that hits the middle of what it is asked for spreads its stones evenly in log odds."""
    grown = nodes(1.0, 0.0)
    for turn in range(3, 6):
        (step,) = Bisect().next(grown, PLAN)
        grown.append(Node(Place(turn), step, step.target.middle))
    middles = sorted(node.rate for node in grown[2:] if node.rate is not None)
    assert middles[1] == pytest.approx(0.5)
    assert middles[0] == pytest.approx(1 - middles[2], abs=1e-3)


def test_a_dead_end_begins_anew() -> None:
    assert following(0.0, 0.0).direction is Direction.FIRST
