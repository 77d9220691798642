from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given

from app.domain.values import Unsupported, dumps, loads, same
from tests.domain.values.strategies import values

# Any two of these differ, though `==` holds between many.
DISTINCT: list[object] = [
    None, False, 0, 0.0, -0.0, 0j, complex(-0.0, 0.0), "", b"", (), [], {}, set(), frozenset(), True, 1, 1.0, 1 + 0j,
    "1", b"1", (1,), [1], {1: 1}, {1}, frozenset({1}), (True,), [True], [1.0], {True: 1}, {1: True}, {True}, {1.0},
    {1: 1, 2: 2}, {1, 2}, [1, 2], [2, 1], (1, 2), [[1], [2]], [(1,), [2]], {"a": [1]}, {"a": [True]}, {"a": (1,)},
    math.nan, math.inf, -math.inf, complex(math.nan, 0), [math.nan], {math.nan}, {math.nan: 1}, {math.nan: 2},
    {math.nan: 1, 1: math.nan}, frozenset({frozenset({1})}), frozenset({frozenset({True})}), {(1, 2)}, {(1, 2.0)},
    "\ud800\udc00", "\U00010000", 10**400, 10**400 + 1,
]  # fmt: skip


@pytest.mark.parametrize("a", range(len(DISTINCT)))
def test_every_value_is_only_the_same_as_itself(a: int) -> None:
    for b, other in enumerate(DISTINCT):
        assert same(DISTINCT[a], other) is (a == b), other
        assert same(DISTINCT[a], loads(dumps(other))) is (a == b), other


@given(values, values)
def test_agrees_with_the_codec_and_implies_equality(a: object, b: object) -> None:
    assert same(a, b) == same(b, a)
    if dumps(a) == dumps(b):
        assert same(a, b)
    if same(a, b):
        assert type(a) is type(b)
        assert "nan" in dumps(a) or a == b


def test_order_counts_in_sequences_only() -> None:
    keys = ["a", 1, 2.5, None, (1, "x"), math.nan]
    for order in itertools.permutations(keys):
        assert same(dict.fromkeys(order), dict.fromkeys(keys))
        assert same(set(order), set(keys))
        assert same(list(order), keys) is (list(order) == keys)


def test_several_nans_are_counted() -> None:
    one, two, three = (float("nan") for _ in range(3))
    assert same({one, two}, {two, three})
    assert not same({one, two}, {one})
    assert same({one: 1, two: 2}, {three: 1, one: 2})


class Everything:
    def __eq__(self, other: object) -> bool:
        raise AssertionError("somebody's code ran")

    __hash__ = object.__hash__


def test_no_code_of_others_runs() -> None:
    for value in (1, [1], {1: 2}, None):
        assert not same(value, Everything())
        assert not same(Everything(), value)
    with pytest.raises(Unsupported):
        same([Everything()], [Everything()])
