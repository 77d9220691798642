"""Every way in which a proposal fails its check, by the machine name that is stored and counted."""

from __future__ import annotations

from random import Random

import pytest

from app import registry
from app.domain.ports import Sandbox
from app.domain.problem import InvalidProposal, Problem
from tests.support.proposals import reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

ONE = ("deduction", "abduction")
SMALL = {"wall_ms": 300, "memory_mb": 64}


async def check(sandbox: Sandbox, name: str, text: str, **options: object) -> Problem:
    environment = registry.environment(name)
    return await environment.check(environment.parse(text), sandbox, environment.Options(**options))


async def invalid(sandbox: Sandbox, name: str, text: str, **options: object) -> InvalidProposal:
    with pytest.raises(InvalidProposal) as caught:
        await check(sandbox, name, text, **options)
    assert registry.environment(name).reasons[caught.value.code].remedy
    return caught.value


PROGRAMS = [
    ("def f(x) return x", "syntax_error", "Line 1"),
    ("def g(x):\n    return x", "missing_name", "f"),
    ("import numpy\ndef f(x):\n    return x", "load_error", "numpy"),
    ("1 / 0\ndef f(x):\n    return x", "load_error", "ZeroDivisionError"),
    ("def f(x):\n    return [][x]", "runtime_error", "f(3): IndexError"),
    ("def f(x):\n    while True: pass", "timeout", "f(3)"),
    ("while True: pass\ndef f(x): pass", "timeout", "loaded"),
    ("def f(x):\n    return len([0] * 10**9)", "memory", "f(3)"),
    ("def f(x):\n    return 'a' * 5_000", "output_limit", "5,0"),
    ("def f(x):\n    return 'a' * 2_000_000", "output_limit", ""),
    ("def f(x):\n    return (n for n in range(x))", "unsupported_output", "generator"),
    ("def f(x):\n    return lambda: x", "unsupported_output", "function"),
    ("import sys\ndef f(x):\n    sys.exit(0)", "runtime_error", "SystemExit"),
    ("import random\ndef f(x):\n    return random.random()", "nondeterministic", "line 3 uses randomness"),
    (
        "def f(x):\n    return list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'})",
        "nondeterministic",
        "two executions",
    ),
    ("def f(x):\n    return hash('a string')", "nondeterministic", "two executions"),
    ("# Easier than before.\ndef f(x):\n    return x", "refers_to_earlier", "Easier than before"),
]


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize(("program", "code", "detail"), PROGRAMS)
async def test_a_program_that_cannot_be_used(sandbox: Sandbox, name: str, program: str, code: str, detail: str) -> None:
    error = await invalid(sandbox, name, reply(program, "3"), **SMALL)
    assert (error.code, detail in error.detail) == (code, True), error.detail


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x", "bad_input"),
        ("x=1", "bad_input"),
        ("range(3)", "bad_input"),
        ("1, 2", "bad_input"),
        ("", "bad_input"),
        ("[1, 2", "bad_input"),
    ],
)
async def test_an_input_that_cannot_be_used(sandbox: Sandbox, text: str, code: str) -> None:
    assert (await invalid(sandbox, "deduction", reply("def f(x):\n    return x", text))).code == code


async def test_the_last_of_several_inputs_counts(sandbox: Sandbox) -> None:
    problem = await check(sandbox, "deduction", reply("def f(x):\n    return x + 1", "1", "2"))
    assert (problem.inputs, problem.outputs) == (((2,),), (3,))


@pytest.mark.parametrize(("name", "told"), [("deduction", "'olleholleh'"), ("abduction", "'hello', 2")])
async def test_an_answer_in_a_comment_is_refused(sandbox: Sandbox, name: str, told: str) -> None:
    program = f"def f(x, n):\n    # for example {told}\n    return x[::-1] * n"
    text = reply(program, "'hello', 2")
    if name == "abduction":
        await check(sandbox, name, text)  # short values turn up in honest comments
        text = text.replace("hello", "hello world")
    assert (await invalid(sandbox, name, text)).code == "leaks_answer"


COUNT = """
    seen = []
    def f(x):
        seen.append(x)
        return len(seen) + x
"""
INPUTS = ("1", "2", "3", "4", "5", "6")


@pytest.mark.parametrize(
    ("program", "message", "inputs", "code", "detail"),
    [
        ("def f(x):\n    return x * 2", "", INPUTS, "missing_block", "message"),
        ("def f(x):\n    return x * 2", "Double.", INPUTS[:5], "wrong_input_count", "5 different"),
        ("def f(x):\n    return x * 2", "Double.", [*INPUTS[:5], "5"], "wrong_input_count", "5 different"),
        ("def f(x):\n    return 7", "Give 7.", INPUTS, "constant_output", "All outputs are 7"),
        ("def f(x):\n    return x > 4", "Large?", INPUTS, "constant_output", "The first 4 outputs are False"),
        (COUNT, "Count.", INPUTS, "nondeterministic", "two executions"),
        (
            "def f(x):\n    return sum(n * n for n in range(x))",
            "It should return sum(n*n for n in range(x)).",
            INPUTS,
            "leaks_code",
            "sum(n * n",
        ),
        (
            "def f(x):\n    return x * 2",
            "As the previous problem, but double.",
            INPUTS,
            "refers_to_earlier",
            "previous",
        ),
        ("def f(x):\n    return x * 2", "w" * 4_001, INPUTS, "too_long", "4,000"),
        ("def f(x):\n    return 6 // (x - 3)", "Divide.", INPUTS, "runtime_error", "f(3): ZeroDivisionError"),
    ],
)
async def test_an_induction_that_cannot_be_used(
    sandbox: Sandbox, program: str, message: str, inputs: list[str], code: str, detail: str
) -> None:
    error = await invalid(sandbox, "induction", reply(program, *inputs, message=message))
    assert (error.code, detail in error.detail) == (code, True), error.detail


FUZZING = """
    def f(x):
        return x * 2

    def pre_test_f(x):
        return {pre}

    def test_f(x):
        return {test}
"""


@pytest.mark.parametrize(
    ("pre", "test", "inputs", "code"),
    [
        ("x > 0", "f(x) != 2", ("0", "1", "2", "3"), "witness_rejected"),
        ("x > 0", "f(x) != 2", ("2", "1", "3", "4"), "witness_passes"),
        ("x > 0", "f(x) < 2", ("1", "2", "3", "4"), "trivially_false"),
        ("x < 2", "f(x) != 2", ("1", "2", "3", "4"), "trivially_false"),
        ("x > 0", "f(x) - 2", ("1", "2", "3", "4"), "not_boolean"),
        ("x", "f(x) != 2", ("1", "2", "3", "4"), "not_boolean"),
        ("x > 0", "f(x) != 2", ("1", "1", "1", "1"), "wrong_input_count"),
        ("x > 0", "10 // (x - 2) > 0", ("1", "2", "3", "4"), "runtime_error"),
    ],
)
async def test_a_fuzzing_that_cannot_be_used(
    sandbox: Sandbox, pre: str, test: str, inputs: tuple[str, ...], code: str
) -> None:
    text = reply(FUZZING.format(pre=pre, test=test), *inputs)
    assert (await invalid(sandbox, "fuzzing", text)).code == code


async def test_of_a_fuzzing_the_valid_inputs_are_kept(sandbox: Sandbox) -> None:
    text = reply(FUZZING.format(pre="x > 0", test="f(x) != 2"), "1", "-1", "2", "3")
    problem = await check(sandbox, "fuzzing", text)
    assert (problem.inputs, problem.outputs) == (((1,), (2,), (3,)), (False, True, True))


async def test_functions_may_stand_in_blocks_of_their_own(sandbox: Sandbox) -> None:
    parts = FUZZING.format(pre="x > 0", test="f(x) != 2").split("\n\n")
    text = "\n".join(reply(part) for part in parts) + "\n" + reply("", "1", "2", "3", "4").split("\n\n", 1)[1]
    assert (await check(sandbox, "fuzzing", text)).outputs[0] is False


async def test_gold_outputs_come_from_execution(sandbox: Sandbox) -> None:
    numbers = sorted(Random(1).sample(range(-50, 50), 6))
    text = reply("def f(x):\n    return {'square': x * x, 'odd': x % 2 == 1}", *map(str, numbers), message="Squares.")
    problem = await check(sandbox, "induction", text)
    assert problem.outputs == tuple({"square": n * n, "odd": n % 2 == 1} for n in numbers)
