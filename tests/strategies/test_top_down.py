from app.domain.difficulty import NARROW, Band
from app.domain.ports import Plan
from app.domain.tree import Direction, Node, Place, Step
from app.strategies.top_down import TopDown

EASY, MEDIUM, HARD = (bin.band for bin in NARROW)
PLAN = Plan(turns=12, branching=1, target=Band(0.35, 0.65))


def grow(*ends: float | str) -> list[Node]:
    """A chain whose variants came out with these pass rates, or invalid for these reasons."""
    nodes: list[Node] = []
    for turn, end in enumerate(ends, 1):
        (step,) = TopDown().next(nodes, PLAN)
        rate, invalid = (None, end) if isinstance(end, str) else (end, None)
        nodes.append(Node(Place(turn), step, rate, invalid))
    return nodes


def following(*ends: float | str) -> Step:
    return TopDown().next(grow(*ends), PLAN)[0]


def test_it_begins_with_a_hard_problem() -> None:
    assert following() == Step(Direction.FIRST, HARD)
    assert following(0.9) == Step(Direction.HARDER, HARD, Place(1))


def test_medium_is_derived_from_the_hard_one_and_easy_from_that() -> None:
    assert following(0.9, 0.1) == Step(Direction.EASIER, MEDIUM, Place(2))
    assert following(0.9, 0.1, 0.5) == Step(Direction.EASIER, EASY, Place(3))


def test_what_does_not_descend_from_the_hard_one_is_no_medium_stone() -> None:
    # 1 is medium, but was there before the hard one.
    assert following(0.5, 0.1) == Step(Direction.EASIER, MEDIUM, Place(2))


def test_a_miss_is_steered_from_the_nearest_of_the_family() -> None:
    assert following(0.1, 0.7) == Step(Direction.HARDER, MEDIUM, Place(2))


def test_a_complete_chain_varies_its_stones() -> None:
    assert following(0.1, 0.5, 0.85) == Step(Direction.VARY, HARD, Place(1))


def test_a_dead_end_begins_anew_and_a_broken_reply_is_repaired() -> None:
    assert following(1.0, 1.0) == Step(Direction.FIRST, HARD)
    assert following(0.1, "timeout") == Step(Direction.REPAIR, MEDIUM, Place(2))
