from __future__ import annotations

import ast

from app.engines._procedural.describing import describe
from app.engines._procedural.messages import sizes, tell, write
from app.engines._procedural.program import read

PROGRAM = """def f(path, sep):
    parts = path.lower().split(sep)
    parts = parts[::-1]
    return [len(word) for word in parts]"""


def said(code: str) -> str:
    return describe(ast.parse(code, mode="eval").body)


def test_expressions_are_said_in_words() -> None:
    assert said("name.split(':')[0]") == "the first item of the parts of `name` between ':'"
    assert said("len(a) > 3") == "whether the length of `a` is above 3"
    assert said("[x * 2 for x in rows if x]") == "x times 2, for each x of `rows` where x is not empty or zero"
    assert said("a if b == c else d") == "`a` if `b` equals `c`, otherwise `d`"


def test_a_message_tells_the_steps_it_is_asked_to_tell() -> None:
    program = read(PROGRAM, [("a-b", "-")])
    assert program is not None
    steps = tell(program)
    everything = write(program, steps, {0, 1, 2}, "Split a name.")
    assert everything == (
        "Write f(path, sep), where `path` is a string and `sep` is a string. Context: Split a name. "
        "Take the parts of `path` in lower case between `sep`; then reverse it; then take the length of each. "
        "Return what that gives."
    )
    some = write(program, steps, {0}, "")
    assert some.endswith("; then do two steps that only the examples show. Return what that gives.")
    nothing = write(program, steps, set(), "")
    assert nothing.endswith("The examples show what it returns.")
    total, _ = sizes(everything, steps)
    assert sizes(everything, steps) == (total, 0)
    told, untold = sizes(some, steps)
    assert 0 < told < total == told + untold
    assert sizes(nothing, steps) == (0, total)


def test_chained_comparisons_are_said_one_by_one() -> None:
    assert said("0 <= n < limit") == "whether 0 is at most `n` and `n` is below `limit`"
