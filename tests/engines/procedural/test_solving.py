from __future__ import annotations

import pytest

from app.domain.values import parse_arguments, parse_literal
from app.engines._procedural.entry import attempt
from app.engines._procedural.running import Loaded
from app.engines._procedural.solving.ideas import BINARY, UNARY
from app.engines._procedural.solving.vocabulary import binary, unary

STEPS = """def f(numbers):
    total = 0
    for number in numbers:
        total = total * 3 + number
        if total > 500:
            total = total % 101
    return total"""
NEEDLE = """def f(text):
    return text.count('q') * 10 + len(text)"""
PROPERTY = """def f(numbers):
    return sum(numbers)


def pre_test_f(numbers):
    return isinstance(numbers, list) and len(numbers) <= 20 and all(type(item) is int for item in numbers)


def test_f(numbers):
    result = f(numbers)
    return result % 23 != 5"""
INDUCTION = {
    "message": "Return how often 'a' occurs in `text`; then multiply it by 3 and add 2.",
    "signature": "f(text)",
    "examples": [(("banana",), 11), (("kiwi",), 2), (("pear",), 5), (("papaya",), 11)],
    "hidden": 2,
}


def answers(environment: str, view: dict[str, object], n: int = 40, budget: float = 1.0) -> list[str]:
    found = [attempt(environment, view, 7, index, budget) for index in range(n)]
    return ["\n".join(answer.splitlines()[1:-1]) for answer in found]


def deduced(budget: float) -> int:
    arguments = ([3, 14, 15, 92, 65, 35, 89, 79],)
    gold = Loaded(STEPS).call("f", arguments).value
    found = answers("deduction", {"program": STEPS, "arguments": arguments}, budget=budget)
    return sum(bool(answer) and parse_literal(answer) == gold for answer in found)


def abduced(budget: float) -> int:
    found = answers("abduction", {"program": NEEDLE, "output": 27}, budget=budget)
    return sum(bool(answer) and Loaded(NEEDLE).call("f", parse_arguments(answer)).value == 27 for answer in found)


def broken(budget: float) -> int:
    loaded = Loaded(PROPERTY)
    inputs = [parse_arguments(answer) for answer in answers("fuzzing", {"program": PROPERTY}, budget=budget) if answer]
    return sum(loaded.call("pre_test_f", i).value is True and loaded.call("test_f", i).value is False for i in inputs)


def induced(budget: float) -> int:
    found = answers("induction", INDUCTION, budget=budget)
    calls = [("avocado",), ("fig",), ("aaa",)]
    return sum(
        bool(source) and [Loaded(source).call("f", call).value for call in calls] == [8, 2, 11] for source in found
    )


@pytest.mark.parametrize("solved", [deduced, abduced, broken, induced])
def test_attempts_differ_and_a_larger_budget_solves_more(solved) -> None:  # type: ignore[no-untyped-def]
    weak, strong = solved(0.25), solved(4.0)
    assert strong > 0
    assert weak < strong
    assert 0 < solved(1.0) < 40


def test_the_same_attempt_gives_the_same_answer() -> None:
    assert answers("induction", INDUCTION, 5) == answers("induction", INDUCTION, 5)


@pytest.mark.parametrize(
    ("environment", "view"),
    [
        ("deduction", {"program": "def f(n):\n    return n +", "arguments": (1,)}),
        ("deduction", {"program": "import nothing\ndef f(n):\n    return n", "arguments": (1,)}),
        ("abduction", {"program": "def f(n):\n    while True:\n        pass", "output": 3}),
        ("abduction", {"program": "f = lambda n: n", "output": 3}),
        ("fuzzing", {"program": "def f(n):\n    return n\ndef test_f(n):\n    return True"}),
        ("induction", {"message": "", "signature": "f(*rows)", "examples": [((1,), 2)], "hidden": 0}),
    ],
)
def test_problems_of_any_make_are_attempted_without_failing(environment: str, view: dict[str, object]) -> None:
    assert attempt(environment, view, 1, 0, 1.0) is not None


def test_classes_generators_and_exceptions_are_worked_out_too() -> None:
    program = """class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def steps(self):
        for number in range(3):
            yield self.value + number

def f(start):
    try:
        return list(Counter(start).steps()) + [start // 0]
    except ZeroDivisionError:
        return [*Counter(start).steps()]"""
    found = answers("deduction", {"program": program, "arguments": (4,)})
    assert found.count("[4, 5, 6]") > 5


def test_every_idea_has_code_and_words() -> None:
    for table, ideas in ((UNARY, unary()), (BINARY, binary())):
        for kinds, rows in table.items():
            assert len(ideas[kinds]) == len(rows.strip().splitlines())
            assert all(idea.words for idea in ideas[kinds])
