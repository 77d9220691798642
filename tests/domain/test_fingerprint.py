"""When two programs are the same problem."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.fingerprint import content_hash, fingerprint
from app.domain.problem import Problem
from app.domain.problem_codec import encode_problem

PROGRAM = '''
import math

LIMIT = 10


def helper(items, low=2):
    """Keeps the large ones."""
    return [item for item in items if item > math.floor(low)]


def f(numbers: list[int]) -> int:
    # Adds them up.
    total = 0
    for number in helper(numbers):
        try:
            total += number if number < LIMIT else 0
        except TypeError as error:
            return str(error)
    return total
'''

SAME = '''
import math
TOP = 10
def keep(a, b=2): return [c for c in a if c > math.floor(b)]
def f(v):
    """Something else."""
    s = 0
    for i in keep(v):
        try: s += (i if i < TOP else 0)
        except TypeError as e: return str(e)
    return s
'''


def problem(program: str, environment: str = "deduction") -> Problem:
    return Problem(environment, program, (([1, 2],),), (3,))


def test_names_layout_docstrings_comments_and_annotations_do_not_count() -> None:
    assert fingerprint(problem(PROGRAM)) == fingerprint(problem(SAME))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("floor", "ceil"),
        ("import math", "import cmath as math"),
        ("TOP = 10", "TOP = 11"),
        ("b=2", "b=3"),
        ("s += (i", "s -= (i"),
        ("keep(v)", "sorted(v)"),
        ("else 0", "else False"),
        ("else 0", "else 0.0"),
        ("for c in a if c >", "for c in a if b >"),
        ("return s\n", "return i\n"),
        ("str(e)", "repr(e)"),
    ],
)
def test_what_it_computes_counts(old: str, new: str) -> None:
    assert old in SAME
    assert fingerprint(problem(SAME)) != fingerprint(problem(SAME.replace(old, new)))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("def f(x): return lambda y: x + y", "def f(a): return lambda b: a + b"),
        ("def f(x, *a, k=1, **d): return a", "def f(y, *b, m=1, **e): return b"),
        (
            "def f(x):\n g = 1\n def h():\n  nonlocal g\n  g = 2\n h()\n return g",
            "def f(x):\n a = 1\n def b():\n  nonlocal a\n  a = 2\n b()\n return a",
        ),
        ("from math import floor as g\ndef f(x): return g(x)", "from math import floor\ndef f(x): return floor(x)"),
        ("def f(x):\n match x:\n  case [a, *b]: return b", "def f(y):\n match y:\n  case [c, *d]: return d"),
        ("async def g(): pass\ndef f(x): return (z := x)", "async def h(): pass\ndef f(x): return (w := x)"),
    ],
)
def test_every_way_of_binding_a_name(one: str, two: str) -> None:
    assert fingerprint(problem(one)) == fingerprint(problem(two))


def test_attributes_of_classes_count() -> None:
    one = "class A:\n def get(self): return self.x\ndef f(y): return A().get()"
    assert fingerprint(problem(one)) == fingerprint(problem(one.replace("A", "B").replace("self", "me")))
    assert fingerprint(problem(one)) != fingerprint(problem(one.replace("x", "z")))


def test_inputs_and_messages_do_not_count_but_the_environment_does() -> None:
    one = problem(PROGRAM)
    assert fingerprint(one) == fingerprint(replace(one, inputs=(([9],),), outputs=(9,), message="Other words."))
    assert fingerprint(one) != fingerprint(problem(PROGRAM, "abduction"))


def test_a_program_too_deep_to_walk_still_has_a_key() -> None:
    deep = "def f(x): return " + " + ".join("x" * 900)
    assert fingerprint(problem(deep)) == fingerprint(problem(deep)) != fingerprint(problem(deep + " + 1"))


def test_the_key_is_the_same_under_every_python() -> None:
    """It is stored: a change here makes every stored key stale."""
    assert fingerprint(problem(PROGRAM)) == "a62e472edcad86a3e535cb7ef46f5fe0ea4bd05a67b12ad25b1e89bb172732a6"


def _hash(problem: Problem) -> str:
    return content_hash(encode_problem(problem))


def test_the_content_hash_covers_everything() -> None:
    one = Problem("induction", PROGRAM, (([1],), ([2],)), (1, 2), "Words.", {"inputs": 2})
    changes = [
        {"environment": "deduction"},
        {"program": PROGRAM + "\n"},
        {"inputs": (([1],), ([3],))},
        {"outputs": (1, 2.0)},
        {"message": "Words"},
        {"options": {"inputs": 3}},
    ]
    hashes = {_hash(replace(one, **change)) for change in changes}
    assert len(hashes | {_hash(one)}) == len(changes) + 1
    assert _hash(one) == _hash(replace(one))


def test_the_content_hash_does_not_depend_on_the_order_of_sets() -> None:
    one, two = {"a", "b", "c"}, {"c", "b", "a"}
    assert _hash(Problem("deduction", "", ((one,),), ())) == _hash(Problem("deduction", "", ((two,),), ()))
