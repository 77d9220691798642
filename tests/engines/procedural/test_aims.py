from __future__ import annotations

import pytest

from app.engines._procedural.aims import Measured, next_cost


def test_between_two_rates_it_interpolates_in_log_odds() -> None:
    points = [Measured(1.0, 0.8), Measured(3.0, 0.2)]
    assert next_cost(points, 0.5, slope=1.0) == pytest.approx(2.0)
    assert next_cost(points, 0.2, slope=1.0) == pytest.approx(3.0, abs=0.01)


def test_beyond_the_last_rate_it_goes_on_in_its_direction() -> None:
    solved = [Measured(2.0, 1.0)]
    harder = next_cost(solved, 0.5, slope=1.0)
    assert harder is not None
    assert harder > 2.0
    further = next_cost([*solved, Measured(3.0, 1.0)], 0.5, slope=1.0)
    assert further is not None
    assert further > harder
    easier = next_cost([Measured(2.0, 0.0)], 0.5, slope=1.0)
    assert easier is not None
    assert easier < 2.0


def test_where_harder_problems_were_solved_more_often_it_takes_the_middle() -> None:
    assert next_cost([Measured(3.0, 0.8), Measured(1.0, 0.2)], 0.5, slope=1.0) == 2.0


def test_without_rates_any_cost_will_do() -> None:
    assert next_cost([], 0.5, slope=1.0) is None
