from __future__ import annotations

import collections
import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.values import Unsupported, dumps, loads, same
from app.domain.values.codec import MAX_BYTES, MAX_DEPTH
from tests.domain.values.strategies import values


@given(values)
def test_what_was_written_is_read_back(value: object) -> None:
    text = dumps(value)
    again = loads(text)
    assert same(again, value)
    assert dumps(again) == text


@given(values)
def test_text_survives_any_json_store(value: object) -> None:
    assert same(loads(json.dumps(json.loads(dumps(value)))), value)
    assert "\\u0000" not in dumps(value)


@given(
    st.text()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from("ifcubtszdx"), x, max_size=2),
    ).map(json.dumps)
)
def test_hostile_text_gives_a_value_or_a_value_error(text: str) -> None:
    try:
        value = loads(text)
    except ValueError:
        return
    assert same(loads(dumps(value)), value)


@pytest.mark.parametrize(
    "value",
    [
        0.1, -0.0, math.nan, math.inf, -math.inf, 5e-324, -(1 << 53), 1 << 53, True, 1, 1.0,
        complex(-0.0, math.nan), "\ud800\udc00", "\udc00", "\0", "\u202e", b"\xff", (), [], {}, set(), frozenset(),
        {True: 1}, {1.0: (1,)}, [[(), []]],
    ],
)  # fmt: skip
def test_exact(value: object) -> None:
    again = loads(dumps(value))
    assert type(again) is type(value)
    assert same(again, value)


def test_integers_of_any_size() -> None:
    for exponent in (300, 5_000, 100_000):
        assert loads(dumps(-(10**exponent))) == -(10**exponent)


def test_order_of_dicts_is_kept_and_of_sets_is_canonical() -> None:
    assert list(loads(dumps({"b": 1, "a": 2}))) == ["b", "a"]  # type: ignore[call-overload]
    assert dumps({"b", "a", "c"}) == dumps({"c", "b", "a"}) == '{"s":["a","b","c"]}'


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Nameless(type):
    __name__ = property(lambda _: 1 / 0)


@pytest.mark.parametrize(
    "value",
    [
        Liar(1), [Liar(1)], {Liar(1): 1}, collections.OrderedDict(), collections.Counter(),
        collections.namedtuple("P", "x")(1), object(), int, len, bytearray(b"x"), range(3), iter([]),
        Nameless("X", (), {})(),
    ],
)  # fmt: skip
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(Unsupported):
        dumps(value)


def nest(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_bounds_of_writing() -> None:
    assert loads(dumps(nest(MAX_DEPTH))) == nest(MAX_DEPTH)
    cyclic: list[object] = []
    cyclic.append(cyclic)
    wide = "x"
    for _ in range(MAX_DEPTH - 1):
        wide = [wide, wide]  # type: ignore[assignment]
    for value in (
        nest(MAX_DEPTH + 1),
        nest(100_000),
        cyclic,
        wide,
        "x" * MAX_BYTES,
        1 << (MAX_BYTES * 4),
        [
            "y" * 1000,
        ]
        * 10_000,
    ):
        with pytest.raises(Unsupported):
            dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "nan", "NaN", "Infinity", "1.5", "[1", "1 2", "{}", '{"f":1}', '{"f":"x"}', '{"f":"1","f":"2"}',
        '{"t":{}}', '{"t":"ab"}', '{"d":["ab"]}', '{"d":[[1]]}', '{"d":[[[],1]]}', '{"d":[[1,1],[1,2]]}',
        '{"s":[[]]}', '{"s":[1,1]}', '{"q":[]}', '{"i":"z"}', '{"c":["1"]}', '{"c":[["1"],"2"]}', '{"b":"0"}',
        '{"u":"ff"}', '"é"', "9" * 5000, "[" * 100_000, '{"t":' * 50_000, "[" * 65 + "]" * 65,
        '{"t":[' * 300 + "]}" * 300, "[" * 900 + "]" * 900, '"' + "x" * MAX_BYTES + '"',
    ],
)  # fmt: skip
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a value"):
        loads(text)


def test_colliding_hashes_do_not_stall_the_reader() -> None:
    members = ",".join(f'{{"i":"{hex(k * (2**61 - 1))}"}}' for k in range(1, 60_000))
    started = time.perf_counter()
    with pytest.raises(ValueError, match="not a value"):
        loads(f'{{"s":[{members}]}}')
    assert time.perf_counter() - started < 5  # quadratic insertion takes minutes


def test_colliding_frozensets_do_not_stall_the_reader_either() -> None:
    """Equal hashes in sets of equal hashes: to compare two of them is quadratic already."""
    numbers = [f'{{"i":"{hex(k * (2**61 - 1))}"}}' for k in range(1, 191)]
    sets = ",".join(f'{{"z":[{",".join(numbers[:k] + numbers[k + 1 :])}]}}' for k in range(190))
    with pytest.raises(ValueError, match="not a value"):
        loads(f'{{"s":[{sets}]}}')
    pairs = loads('{"s":[' + ",".join(f'{{"z":[{x},{y}]}}' for x in (-1, -2) for y in (3, 4)) + "]}")
    assert len(pairs) == 4
