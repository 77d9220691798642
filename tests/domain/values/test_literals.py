from __future__ import annotations

import ast
import contextlib
import math
import time
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.values import LiteralError, Unsupported, dumps, loads, parse_arguments, parse_literal, render, same
from app.domain.values.codec import LEVELS, RESULT_DEPTH
from app.domain.values.literals import MAX_LENGTH
from tests.domain.values.strategies import values


@given(values)
def test_what_is_rendered_is_read_back(value: object) -> None:
    assert same(parse_literal(render(value)), value)


@given(st.lists(values, max_size=4).map(tuple))
def test_arguments_are_read_back(arguments: tuple[object, ...]) -> None:
    assert same(parse_arguments(", ".join(map(render, arguments))), arguments)


@given(values)
def test_rendered_text_is_python_of_the_same_value(value: object) -> None:
    names = {"set": set, "frozenset": frozenset, "float": float, "complex": complex, "__builtins__": {}}
    assert same(eval(render(value), names), value)  # noqa: S307 - our own text


FRAGMENTS = [
    "1", "-", "+", "2j", "'a'", '"', "'", "b'x'", "r'\\n'", "\\n", "(", ")", "[", "]", "{", "}", ",", ":", " ", "\n",
    "None", "True", "set()", "0x1f", "1e3", ".5", "1_0", "\\", "u'é'", "'''", "*", "f'x'", "1.", "0", "#", "...",
    "lambda", "'\\x41'",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
@example("01")
@example("1 +2j")
@example("(1)(2)")
@example("'a' b'b'")
@example("'\\N{BULLET}\\u00e9\\101\\q'")
def test_agrees_with_python(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError):
            return
    if expected is ...:
        return
    assert same(parse_literal(text), expected)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nan", math.nan), ("-inf", -math.inf), ("float('nan')", math.nan), ('float("-inf")', -math.inf),
        ("set()", set()), ("frozenset()", frozenset()), ("frozenset({1, 2})", frozenset({1, 2})),
        ("set([1, 1])", {1}), ("{nan}", {math.nan}), ("1-2j", 1 - 2j), ("-1-2j", -1 - 2j),
        ("complex(-0.0, nan)", complex(-0.0, math.nan)), (" [1,\n 2,] # two", [1, 2]), ("1, 2", (1, 2)), ("((1))", 1),
        ("(1,)", (1,)), ("'a' 'b'", "ab"), ("b'a' b'\\xff'", b"a\xff"),
        ("--1", 1), ("-0.0", -0.0), ("{1: 2, 1: 3}", {1: 3}), ("inf-1j", complex(math.inf, -1)),
    ],
)  # fmt: skip
def test_spellings(text: str, value: object) -> None:
    assert same(parse_literal(text), value)


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "#", "1 2", "[1", "1]", "[1, , 2]", ",", "(,)", "x", "os", "f(1)", "f'{1}'", "10**10**10", "1+1",
        "2j+1j", "'a'+'b'", "'a'*9", "lambda: 0", "[x for x in 'a']", "a.b", "*[1]", "{**{}}", "{1, 2: 3}",
        "{1: 2, 3}", "{[]}", "{{}: 1}", "'a' b'b'", "b'é'", "'abc", "'''a'", "'\\x1'", "'\\N{nothing}'", "012",
        "1__0", "0x", "1if 1else 2", "9" * 5000, "float('x')", "float([1])", "float(", "set({1: 2})", "set(1)",
        "set([[]])", "not 1", "~1", "1 < 2", "None.x", "x=1", "\0", "é", "1e5j+" + "9" * 400, "__import__('os')",
        "print()", "...",
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        parse_literal(text)


@pytest.mark.parametrize("pair", ["()", "[]", "{}"])
def test_depth_is_bounded(pair: str) -> None:
    with pytest.raises(LiteralError, match="nested deeper"):
        parse_literal(pair[0] * 100_000 + pair[1] * 100_000)


def test_a_tuple_without_parentheses_and_arguments_count_as_a_level() -> None:
    deepest = "[" * RESULT_DEPTH + "]" * RESULT_DEPTH
    assert render(parse_literal(deepest)) == deepest
    for text in (f"{deepest},", f"1, {deepest}"):
        with pytest.raises(LiteralError, match="nested deeper"):
            parse_literal(text)
    with pytest.raises(LiteralError, match="nested deeper"):
        parse_arguments(deepest)
    assert render(parse_arguments(deepest[1:-1])) == f"({deepest[1:-1]},)"


def test_frozensets_are_nested_as_deep_by_all() -> None:
    """By the reader, the codec and the writer alike; deeper ones would take all of them exponential time."""
    inner: object = 1
    for _ in range(RESULT_DEPTH // LEVELS[frozenset]):
        inner = frozenset({inner})
    text = render(inner)
    assert same(parse_literal(text), inner)
    assert same(loads(dumps(inner, RESULT_DEPTH), RESULT_DEPTH), inner)
    assert parse_literal("[frozenset(), set(), frozenset({}), set({})]") == [frozenset(), set(), frozenset(), set()]
    with pytest.raises(LiteralError, match="nested deeper"):
        parse_literal(f"frozenset({{{text}}})")
    with pytest.raises(LiteralError, match="nested deeper"):
        parse_literal("frozenset({" * 40 + "1" + "})" * 40)
    for write in (render, lambda value: dumps(value, RESULT_DEPTH)):
        with pytest.raises(Unsupported):
            write(frozenset({inner}))
    with pytest.raises(ValueError, match="nested deeper"):
        loads('{"z":[' * 9 + "1" + "]}" * 9, RESULT_DEPTH)


@pytest.mark.parametrize(
    "unit",
    [
        "-",
        "'a'",
        "1+",
        "1,",
        "[],",
        "not ",
        "{",
        "set(",
        "frozenset(",
        "'\\",
        "\"'",
        "a.",
        "'''",
        "1:",
        "f",
        "\\\n",
        "float(",
    ],
)
def test_hostile_repetition_is_read_in_linear_time(unit: str) -> None:
    started = time.perf_counter()
    for text in (unit * (MAX_LENGTH // len(unit)), unit * (MAX_LENGTH // len(unit) - 1) + "1", unit * MAX_LENGTH):
        with contextlib.suppress(LiteralError):
            parse_literal(text)
    assert time.perf_counter() - started < 20


def test_integers_of_any_size_in_hexadecimal() -> None:
    assert parse_literal("-0x" + "f" * 5_000) == 1 - (1 << 20_000)
    assert parse_literal(render(10**6_000)) == 10**6_000


def test_arguments() -> None:
    assert parse_arguments("") == ()
    assert parse_arguments(" 1, [2], 'x' ") == (1, [2], "x")
    assert parse_arguments("(1, 2)") == ((1, 2),)
    assert parse_arguments("5") == (5,)
    with pytest.raises(LiteralError, match="without keywords"):
        parse_arguments("x=1")


def test_messages_tell_the_place() -> None:
    with pytest.raises(LiteralError, match="character 5"):
        parse_literal("[1, x]")
    with pytest.raises(LiteralError, match="ends too early"):
        parse_literal("[1, ")


def test_sets_are_rendered_in_order() -> None:
    assert render({10, 9, 1}) == "{1, 9, 10}"
    assert render([frozenset({"b", "a"}), set(), {1: (2,)}]) == "[frozenset({'a', 'b'}), set(), {1: (2,)}]"


def test_only_plain_values_are_rendered() -> None:
    with pytest.raises(Unsupported):
        render([object()])
