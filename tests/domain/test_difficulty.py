import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.difficulty import BROAD, NARROW, Band, Tally, bin_of, is_complete, wilson


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        (0.0, None),
        (3 / 32, None),
        (0.10, "hard"),
        (0.26, "medium"),
        (0.5, "medium"),
        (0.61, "easy-medium"),
        (0.85, "easy"),
        (0.97, "easy"),
        (1.0, None),
    ],
)
def test_broad_bins_give_a_shared_edge_to_the_easier_one(rate: float, name: str | None) -> None:
    assert bin_of(rate) == name


def test_narrow_bins_leave_gaps() -> None:
    assert [bin_of(rate, NARROW) for rate in (0.86, 0.7, 0.5, 0.3, 0.1)] == ["easy", None, "medium", None, "hard"]


def test_a_chain_is_complete_with_all_three() -> None:
    assert is_complete([0.9, 0.5, 0.1])
    assert not is_complete([0.9, 0.5])
    assert is_complete([0.9, 0.5, 0.2], BROAD)


# Values by R's prop.test(correct=FALSE)$conf.int
@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [(14, 32, 0.2817, 0.6067), (0, 32, 0.0, 0.1072), (32, 32, 0.8928, 1.0), (1, 2, 0.0945, 0.9055)],
)
def test_wilson_interval(passed: int, n: int, low: float, high: float) -> None:
    found = wilson(passed, n)
    assert found == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_holds_the_rate(passed: int, failed: int) -> None:
    tally = Tally(passed, failed)
    low, high = tally.interval
    assert 0.0 <= low <= high <= 1.0
    if tally.n:
        assert low <= passed / tally.n <= high


def test_errors_stand_outside_the_rate() -> None:
    assert Tally(8, 8, errors=16).rate() == 0.5
    assert Tally(8, 8, errors=16).rate(minimum=24) is None
    assert Tally(0, 0, errors=32).rate() is None


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1)])
def test_a_band_is_ordered_and_within_bounds(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="0 <= low <= high <= 1"):
        Band(low, high)


def test_wilson_refuses_more_passes_than_attempts() -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        wilson(3, 2)
