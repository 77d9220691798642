"""What is said of a teacher's program before it runs."""

from __future__ import annotations

import ast
import time

import pytest

from app.domain.problem import InvalidProposal
from app.environments._common.blocks import Block
from app.environments._common.programs import check_arity, check_no_answer, choose_program, read_program, signature
from app.environments._common.purity import impurities
from app.environments._common.wording import earlier_reference, quoted_code

PURE = "def f(x):\n    return x"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ndef f(x):\n    return time.time()", "line 3 uses the clock (`time.time`)"),
        (
            "import enum\nsys = enum.sys\ndef f(x):\n    return len(sys.modules)",
            "line 2 uses processes, threads or the machine (`enum.sys`)",
        ),
        (
            "import datetime as dt\ndef f(x):\n    return dt.datetime.now()",
            "line 3 uses the clock (`datetime.datetime.now`)",
        ),
        (
            "from datetime import date\ndef f(x):\n    return date.today()",
            "line 3 uses the clock (`datetime.date.today`)",
        ),
        ("from random import choice\ndef f(x):\n    return choice(x)", "line 1 uses randomness (`random.choice`)"),
        ("from random import *", "line 1 uses randomness (`random`)"),
        ("import os\ndef f(x):\n    return os.urandom(x)", "line 3 uses files or the terminal (`os.urandom`)"),
        (
            "import os.path\ndef f(x):\n    return os.path.exists(x)",
            "line 3 uses files or the terminal (`os.path.exists`)",
        ),
        ("def f(x):\n    return open(x).read()", "line 2 uses files or the terminal (`open`)"),
        (
            "import urllib.request as r\ndef f(x):\n    return r.urlopen(x)",
            "line 3 uses the network (`urllib.request.urlopen`)",
        ),
        ("def f(x):\n    return id(x)", "line 2 uses the identity of objects (`id`)"),
        ("def f(x):\n    return __import__(x)", "line 2 uses processes, threads or the machine (`__import__`)"),
    ],
)
def test_what_reaches_outside_is_named_with_its_line(source: str, found: str) -> None:
    assert impurities(ast.parse(source)) == [found]


@pytest.mark.parametrize(
    "source",
    [
        PURE,
        "import random\ndef f(x):\n    return x",
        "import os.path\ndef f(x):\n    return os.path.join(x, 'a')",
        "from os.path import splitext\ndef f(x):\n    return splitext(x)",
        "from datetime import date, timedelta\ndef f(x):\n    return str(date(2020, 1, 1) + timedelta(x))",
        "def f(id, input):\n    open = id\n    return open + input",
        "import uuid\ndef f(x):\n    return uuid.UUID(x).hex",
        "class C:\n    def time(self): return 1\ndef f(x):\n    return C().time()",
    ],
)
def test_what_is_pure_is_let_through(source: str) -> None:
    assert impurities(ast.parse(source)) == []


@pytest.mark.parametrize(
    ("source", "code", "detail"),
    [
        ("def f(x) return x", "syntax_error", "Line 1: "),
        ("def f(x):\n    return '\0'", "syntax_error", ""),
        ("f = " + "(" * 5_000, "syntax_error", ""),
        ("f = " + "-" * 10_000 + "1", "syntax_error", "nested too deeply"),
        ("def g(x):\n    return x", "missing_name", "f"),
        ("def g():\n    def f(x):\n        return x", "missing_name", "f"),
        ("f = lambda x: x", "missing_name", "f"),
        (PURE + "  #" + "x" * 12_000, "too_long", "12,0"),
        ("import time\n" + PURE + " * time.time()", "nondeterministic", "the clock"),
        ("# An easier version of the task.\n" + PURE, "refers_to_earlier", "easier version of"),
        ('def f(x):\n    """Unlike the previous problem."""\n    return x', "refers_to_earlier", "previous problem"),
    ],
)
def test_an_invalid_program_is_refused_by_name(source: str, code: str, detail: str) -> None:
    with pytest.raises(InvalidProposal) as caught:
        read_program(source, ("f",), 12_000)
    assert caught.value.code == code
    assert detail in caught.value.detail


def test_an_odd_escape_is_no_reason_to_refuse() -> None:
    read_program("def f(x):\n    return x + '\\d'", ("f",), 1_000)


def test_the_last_complete_program_counts() -> None:
    first, second = "def f(x):\n    return 1", "def f(x):\n    return 2"
    found = [Block("python", first), Block("input", "1"), Block("python", second), Block("python", "print(f(1))")]
    assert choose_program(found, ("f",)) == second


def test_parts_of_a_program_are_joined() -> None:
    found = [Block("python", PURE), Block("python", "def test_f(x):\n    return True")]
    joined = choose_program(found, ("f", "test_f"))
    assert [node.name for node in read_program(joined, ("f", "test_f"), 1_000).body] == ["f", "test_f"]


@pytest.mark.parametrize(
    ("source", "arguments", "fits"),
    [
        ("def f(a, b): pass", (1, 2), True),
        ("def f(a, b): pass", (1,), False),
        ("def f(a, b): pass", (1, 2, 3), False),
        ("def f(a, b=1): pass", (1,), True),
        ("def f(*a): pass", (1, 2, 3), True),
        ("def f(a, *b): pass", (), False),
        ("def f(): pass", (), False),
    ],
)
def test_inputs_fit_the_parameters(source: str, arguments: tuple[object, ...], fits: bool) -> None:
    tree = ast.parse(source)
    if fits:
        check_arity(tree, "f", [arguments])
    else:
        with pytest.raises(InvalidProposal, match="bad_input"):
            check_arity(tree, "f", [arguments])


def test_a_signature_has_no_types() -> None:
    assert signature("def f(a: list[int], *b: str, c: int = 3) -> int: ...", "f") == "f(a, *b, c=3)"


def test_a_comment_that_gives_the_answer_away_is_found() -> None:
    source = "def f(x):\n    # gives [10, 20, 30] for the input\n    return x"
    with pytest.raises(InvalidProposal, match="leaks_answer"):
        check_no_answer(source, ast.parse(source), [[10, 20, 30]])
    check_no_answer(source, ast.parse(source), [[10, 20]])
    check_no_answer("def f(x):\n    return True  # True", ast.parse("0"), [True])


@pytest.mark.parametrize(
    "text",
    [
        "This is a harder version of merging runs.",
        "As in the previous problem, keep the order.",
        "Compared with the last exercise it is longer.",
        "Make sure the pass rate is low.",
        "The original coding problem asked for less.",
    ],
)
def test_words_about_another_problem_are_found(text: str) -> None:
    assert earlier_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "Add each number to the previous element.",
        "Return the earlier of two version strings.",
        "Keep the last question mark; the previous task in the queue ends.",
        "The original list must not change; compare the new version with it.",
        "Each student has a list of marks.",
    ],
)
def test_words_about_the_data_are_left_alone(text: str) -> None:
    assert earlier_reference(text) is None


def test_a_signature_leaves_out_what_no_one_could_read() -> None:
    source = f"def f(x: int, y={'-' * 400}1, *, z=2):\n    return x"
    assert signature(source, "f") == "f(x, y=..., *, z=...)"
    assert signature("def f(x: int, y=-1):\n    return x", "f") == "f(x, y=-1)"


def test_a_long_message_is_looked_through_at_once() -> None:
    began = time.process_time()
    assert quoted_code("def a()->" * 4_400, PURE, ast.parse(PURE)) is None
    assert quoted_code("def a" * 4_400, PURE, ast.parse(PURE)) is None
    assert time.process_time() - began < 10


def test_a_message_may_not_quote_the_code() -> None:
    source = "def f(xs, k):\n    total = sum(x * k for x in xs)\n    return total % 97 or 'nothing to be done'"
    tree = ast.parse(source)
    assert quoted_code("Compute `total=sum(x*k for x in xs)` first.", source, tree)
    assert quoted_code("def f(xs, k): ...", source, tree)
    assert (
        quoted_code("Sum the numbers times k; give the remainder by 97, or 'nothing to be done'.", source, tree) is None
    )
