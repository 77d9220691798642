"""Figures from a few seeds, against values reckoned by hand and the real coverage of their intervals."""

import random

import pytest

from app.features.runs.estimate import Range, over, ratio


def test_a_mean_has_the_interval_of_students_t() -> None:
    found = over([10.0, 12.0, 14.0, 16.0, 18.0])
    assert found.mean == 14.0
    assert (found.low, found.high) == pytest.approx((14 - 3.926, 14 + 3.926), abs=1e-3)  # 2.776 * 3.1623 / sqrt(5)


def test_two_seeds_tell_little_and_nothing_goes_below_zero() -> None:
    assert over([0.0, 2.0]) == Range(1.0, 0.0, pytest.approx(1 + 12.706))


def test_equal_seeds_leave_no_doubt() -> None:
    assert over([8.0] * 5) == Range(8.0, 8.0, 8.0)
    assert ratio([(3.0, 4.0)] * 5) == Range(0.75, 0.75, 0.75)


def test_a_ratio_weighs_seeds_by_what_they_took() -> None:
    found = ratio([(1.0, 1.0), (0.0, 3.0)])
    assert found is not None
    assert found.mean == 0.25
    assert ratio([(0.0, 0.0), (0.0, 0.0)]) is None


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_hold_what_they_promise(seeds: int) -> None:
    """95% of them hold the true mean of normal totals; 4,000 trials put 99.9% of counts within 1.2%."""
    rng, trials = random.Random(3), 4_000
    held = 0
    for _ in range(trials):
        found = over([rng.gauss(1_000, 30) for _ in range(seeds)])
        held += found.low <= 1_000 <= found.high
    assert abs(held / trials - 0.95) < 0.012
