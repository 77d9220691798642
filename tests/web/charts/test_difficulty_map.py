"""Where the stones of a chain lie."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.difficulty import BROAD, Tally
from app.web.charts import DifficultyMap, Stone, difficulty_map
from app.web.charts.swarm import swarm
from tests.support.gallery.content import CHAIN, grown


def nearest(chart: DifficultyMap) -> float:
    return min(math.dist((a.x, a.y), (b.x, b.y)) for a, b in combinations(chart.stones, 2))


def test_the_chain_of_the_gallery() -> None:
    chart = difficulty_map(CHAIN, chosen="6.1")
    places = {placed.stone.key: placed for placed in chart.stones}
    assert places["1.1"].y < places["5.1"].y < places["2.1"].y < places["3.1"].y < places["4.1"].y
    assert places["1.1"].x < places["2.1"].x < places["3.1"].x
    assert places["3.1"].x == places["3.2"].x
    assert (places["4.1"].shape, places["6.2"].shape, places["1.1"].shape) == ("square", "waiting", "round")
    assert [(band.name, band.count) for band in chart.bands] == [("easy", 1), ("medium", 4), ("hard", 2)]
    assert chart.summary == "10 variants over 6 turns: 1 easy, 4 medium, 2 hard; 1 invalid"
    assert "pass rate 0.44 (14 of 32), 95% interval 0.28 to 0.61, medium, approved" in places["2.1"].text


def test_a_stone_that_was_asked_for_says_so() -> None:
    asked = Stone("2.7", 2, "/variants/9", parent="1.1", tally=Tally(3, 29), asked=True)
    chart = difficulty_map([*CHAIN, asked])
    told = {placed.stone.key: placed.text for placed in chart.stones}
    assert told["2.7"].endswith("hard, grown on request")
    assert "grown on request" not in told["2.1"]
    assert (chart.asked, difficulty_map(CHAIN).asked) == (True, False)


def test_the_way_to_the_chosen_stone_is_drawn_last() -> None:
    kinds = [link.kind for link in difficulty_map(CHAIN, chosen="6.1").links]
    assert kinds[-4:] == ["trail"] * 4
    assert kinds.count("trail") == 4
    assert kinds.count("dead") == 1


@pytest.mark.parametrize(
    ("count", "turns", "apart"), [(12, 6, 24), (60, 6, 24), (150, 8, 13), (500, 12, 9), (500, 2, 9)]
)
def test_stones_never_overlap(count: int, turns: int, apart: float) -> None:
    chart = difficulty_map(grown(count, turns, seed=count), bins=BROAD)
    assert nearest(chart) >= apart - 0.2  # coordinates are rounded to a tenth
    assert nearest(chart) >= 2 * chart.radius
    for placed in chart.stones:
        assert chart.left <= placed.x - chart.radius
        assert placed.x + chart.radius <= chart.width - chart.right
        assert chart.top <= placed.y <= chart.height


def test_turns_keep_to_their_own_columns() -> None:
    chart = difficulty_map(grown(500, 12, seed=2))
    for earlier, later in combinations(range(1, 13), 2):
        before = max(placed.x for placed in chart.stones if placed.stone.turn == earlier)
        after = min(placed.x for placed in chart.stones if placed.stone.turn == later)
        assert before + chart.radius < after - chart.radius


def test_labels_cover_neither_stones_nor_each_other() -> None:
    chart = difficulty_map(grown(40, 5, seed=9))
    assert len(chart.labels) > 20
    for label, other in combinations(chart.labels, 2):
        apart = abs(label.y - other.y) >= 9 or abs(label.x - other.x) >= 10
        assert apart, (label, other)


def test_an_empty_chain_and_a_single_stone() -> None:
    assert difficulty_map([]).summary == "0 variants over 0 turns: none easy, none medium, none hard; none invalid"
    (only,) = difficulty_map([Stone("1.1", 1, "#", tally=Tally(32, 0))]).stones
    assert only.bin is None


def test_a_circle_of_parents_ends() -> None:
    stones = [Stone("1.1", 1, "#", "2.1", Tally(1, 1)), Stone("2.1", 2, "#", "1.1", Tally(1, 1))]
    assert len(difficulty_map(stones, chosen="1.1").links) == 2


@given(st.lists(st.floats(0, 200), max_size=60), st.floats(1, 30))
def test_a_swarm_keeps_its_distance(heights: list[float], distance: float) -> None:
    points = list(zip(swarm(heights, distance), heights, strict=True))
    for a, b in combinations(points, 2):
        assert math.dist(a, b) >= distance * (1 - 1e-6)
