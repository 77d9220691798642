"""One line that tells problems apart."""

from __future__ import annotations

import json

import pytest

from app.features.chains.headlines import LONGEST, beyond, headline


def problem(program: str = "", message: str = "") -> str:
    return json.dumps({"program": program, "message": message})


@pytest.mark.parametrize(
    ("program", "message", "line"),
    [
        ("", "Merge two sorted lists into one. Keep ties.", "Merge two sorted lists into one"),
        ("", "Write f(a). It gives the longest run. More.", "Write f(a). It gives the longest run"),
        ("", "no full stop", "no full stop"),
        ('def f(x):\n    """Count the vowels of x."""\n    return 0\n', "", "Count the vowels of x. "),
        ("def g(y):\n    return y\n\ndef f(a, b=[1,\n  2]):\n    return g(a) + b\n", "", "f(a, b=[1, 2]) → g(a) + b"),
        ("def f(x) -> int:\n    print(x)\n", "", "f(x)"),
        ("f = len", "", ""),
    ],
)
def test_the_statement_or_else_the_function(program: str, message: str, line: str) -> None:
    assert headline(problem(program, message)) == line.rstrip(". ")


def test_no_problem_has_none() -> None:
    assert headline(None) == ""


def test_long_ones_are_cut_at_a_word() -> None:
    line = headline(problem(message="word " * 60))
    assert len(line) <= LONGEST
    assert line.endswith("word…")


@pytest.mark.parametrize(
    ("text", "parent", "told"),
    [
        ("sort the runs by key", "sort the runs by length", "… key"),
        ("sort the runs", "sort the runs", "sort the runs"),
        ("sort the runs", "count the runs", "sort the runs"),
        ("sort the runs of words", "sort the runs", "… of words"),
    ],
)
def test_what_the_parent_says_too_is_left_out(text: str, parent: str, told: str) -> None:
    assert beyond(text, parent) == told
