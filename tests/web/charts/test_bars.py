"""Histograms, shares, yields and lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.difficulty import BROAD, bin_of
from app.web.charts import histogram, stack, yield_by_turn
from app.web.charts.ticks import ticks

RATES = st.lists(st.tuples(st.integers(0, 32).map(lambda k: k / 32), st.integers(1, 500)), max_size=33)


def href(low: float, high: float) -> str:
    return f"/rows?from={low}&to={high}"


@given(RATES)
def test_every_variant_is_in_one_bar_and_within_the_frame(counts: list[tuple[float, int]]) -> None:
    chart = histogram(counts, href)
    assert sum(bar.count for bar in chart.bars) == chart.total == sum(count for _, count in counts)
    for bar in chart.bars:
        held = [c for r, c in counts if (r == bar.low == bar.high) or (0 < r < 1 and bar.low <= r < bar.high)]
        assert bar.count == sum(held)
        assert chart.top <= bar.y <= bar.y + bar.height <= chart.base + 0.1
    for left, right in zip(chart.bars, chart.bars[1:], strict=False):
        assert left.x + left.width < right.x


def test_rates_of_0_and_1_stand_apart() -> None:
    chart = histogram([(0.0, 3), (0.5, 10), (1.0, 4)], href)
    first, last = chart.bars[0], chart.bars[-1]
    assert (first.text, last.text) == ("never solved: 3 variants", "always solved: 4 variants")
    assert last.href == "/rows?from=1.0&to=1.0"


def test_bands_count_by_the_exact_rate() -> None:
    counts = [(k / 32, k) for k in range(33)]
    chart = histogram(counts, href)
    for band in chart.bands:
        assert band.count == sum(count for rate, count in counts if bin_of(rate, BROAD) == band.name)


def test_nothing_yet() -> None:
    assert histogram([], href).total == 0
    assert stack([]).segments == []
    assert yield_by_turn([]).turns == []


def test_shares_are_sorted_and_fill_the_bar() -> None:
    chart = stack(
        [("timeout", 1, "#t"), ("same_outputs", 6, "#s"), ("none", 0, "#n"), ("syntax_error", 3, "#x")], width=100
    )
    assert [part.label for part in chart.segments] == ["same_outputs", "syntax_error", "timeout"]
    assert [part.width for part in chart.segments] == [60, 30, 10]
    assert chart.segments[0].text == "same_outputs: 6 (60%)"


def test_yield_stands_beside_the_baseline_and_small_numbers_are_not_drawn() -> None:
    chart = yield_by_turn([(30, 100, "#1"), (2, 4, "#2")], [(15, 100, "#b1")], minimum=10)
    first, second = chart.turns
    assert first.baseline is not None
    assert first.run.height == pytest.approx(2 * first.baseline.height, abs=0.2)
    assert first.run.x + first.run.width <= first.baseline.x
    assert second.run.rate is None
    assert second.baseline is None


@given(st.just(0.0) | st.floats(1e-6, 1e7), st.booleans())
def test_ticks_reach_the_largest_value_with_round_figures(largest: float, whole: bool) -> None:
    axis = ticks(largest, 100, 80, whole=whole)
    assert axis[0].value == 0
    assert axis[-1].value >= largest * (1 - 1e-6)
    assert axis[-1].y == 20
    assert 2 <= len(axis) <= 7
