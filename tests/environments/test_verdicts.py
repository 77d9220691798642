"""How answers are judged, environment by environment."""

from __future__ import annotations

import pytest

from app import registry
from app.domain.ports import Sandbox
from app.domain.problem import Problem, Verdict
from tests.support.proposals import reply

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def check(sandbox: Sandbox, name: str, text: str, **options: object) -> Problem:
    environment = registry.environment(name)
    return await environment.check(environment.parse(text), sandbox, environment.Options(**options))


async def reasons(sandbox: Sandbox, problem: Problem, language: str, *answers: str) -> list[str]:
    """Empty where the answer passed."""
    replies = [f"```{language}\n{answer}\n```" for answer in answers]
    judgements = await registry.environment(problem.environment).verify(problem, replies, sandbox)
    assert all((judgement.verdict is Verdict.PASSED) == (not judgement.reason) for judgement in judgements)
    return [judgement.reason for judgement in judgements]


async def test_deduction_wants_the_very_value(sandbox: Sandbox) -> None:
    problem = await check(sandbox, "deduction", reply("def f(x):\n    return [x > 0, {x: 1.0}, (x,)]", "1"))
    right = ["[True, {1: 1.0}, (1,)]", "[True,{ 1 :1.0,},( 1, )]"]
    wrong = ["[1, {1: 1.0}, (1,)]", "[True, {1: 1}, (1,)]", "[True, {1: 1.0}, [1]]", "None"]
    found = await reasons(sandbox, problem, "output", *right, *wrong)
    assert found == [""] * 2 + ["wrong_value"] * 4
    assert (
        await reasons(sandbox, problem, "output", "f(1)", "the list", "[True", "__import__('os')")
        == ["bad_literal"] * 4
    )


ABDUCTION = reply("def f(a, b=0):\n    if a == 9:\n        while True: pass\n    return [a + b]", "2, 3")


async def test_abduction_takes_any_input_with_that_output(sandbox: Sandbox) -> None:
    problem = await check(sandbox, "abduction", ABDUCTION, wall_ms=300)
    assert await reasons(sandbox, problem, "input", "2, 3", "5", "1, 4", "-1, 6") == [""] * 4
    wrong = await reasons(sandbox, problem, "input", "2, 4", "5.0", "'a', 1", "1, 2, 3", "9", "a=2, b=3")
    assert wrong == ["wrong_value", "wrong_value", "runtime_error", "runtime_error", "timeout", "bad_literal"]


async def test_abduction_by_the_rule_of_the_paper_wants_the_gold_input(sandbox: Sandbox) -> None:
    problem = await check(sandbox, "abduction", ABDUCTION, exact=True)
    assert await reasons(sandbox, problem, "input", "2, 3", "2,3,", "5", "1, 4") == [
        "",
        "",
        "wrong_input",
        "wrong_input",
    ]


INDUCTION = reply("def f(x):\n    return x * x", "0", "1", "2", "3", "4", "-5", message="The number times itself.")


async def test_induction_wants_all_outputs(sandbox: Sandbox) -> None:
    problem = await check(sandbox, "induction", INDUCTION, wall_ms=300, memory_mb=64)
    answers = {
        "def f(n): return n ** 2": "",
        "from math import prod\ndef f(n):\n    return prod([n, n])": "",
        "def f(x): return {0: 0, 1: 1, 2: 4, 3: 9}[x]": "runtime_error",
        "def f(x): return {0: 0, 1: 1, 2: 4, 3: 9}.get(x, 0)": "wrong_value",
        "def f(x): return float(x * x)": "wrong_value",
        "def g(x): return x * x": "load_error",
        "def f(x) return x": "syntax_error",
        "import os\ndef f(x): return x * x": "load_error",
        "def f(x):\n    while True: pass": "timeout",
        "def f(x): return 'a' * 10**9": "memory",
        "def f(x): return 'a' * 2_000_000": "output_limit",
        "def f(x): return (x for _ in [1])": "unsupported_output",
        "def f(x): return " + "1 + " * 30_000 + "x": "too_long",
        "class Same(int):\n    def __eq__(self, other): return True\ndef f(x): return Same(x)": "unsupported_output",
    }
    assert dict(zip(answers, await reasons(sandbox, problem, "python", *answers), strict=True)) == answers


async def test_a_failure_tells_what_came_out(sandbox: Sandbox) -> None:
    problem = await check(sandbox, "induction", INDUCTION)
    environment = registry.environment("induction")
    (judgement,) = await environment.verify(problem, ["```python\ndef f(x): return x + x\n```"], sandbox)
    assert judgement.detail == "f(1) gave 2, not 1."


async def test_part_of_the_pairs_is_hidden(sandbox: Sandbox) -> None:
    environment = registry.environment("induction")
    view = environment.present(await check(sandbox, "induction", INDUCTION))
    assert view == {
        "message": "The number times itself.",
        "signature": "f(x)",
        "examples": [((0,), 0), ((1,), 1), ((2,), 4), ((3,), 9)],
        "hidden": 2,
    }
    table = "def f(x):\n    return {0: 0, 1: 1, 2: 4, 3: 9}.get(x)"
    for visible, verdict in ((4, "wrong_value"), (6, "wrong_value")):
        problem = await check(sandbox, "induction", INDUCTION, visible_inputs=visible)
        assert await reasons(sandbox, problem, "python", table) == [verdict]
        assert len(environment.present(problem)["examples"]) == visible  # type: ignore[arg-type]


async def test_fuzzing_wants_a_valid_input_that_breaks_the_property(sandbox: Sandbox) -> None:
    program = """
        def f(text):
            return text.strip().lower()

        def pre_test_f(text):
            return isinstance(text, str) and len(text) < 9

        def test_f(text):
            if text == 'boom':
                raise ValueError(text)
            return f(text) == text.lower()
    """
    problem = await check(sandbox, "fuzzing", reply(program, "' a'", "'A'", "'b'", "''"))
    assert await reasons(sandbox, problem, "input", "' a'", "'x '", "'\\t'") == [""] * 3
    wrong = await reasons(sandbox, problem, "input", "'a'", "7", "' " + "a" * 9 + "'", "'boom'", "'a', 'b'", "text")
    assert wrong == [
        "property_holds",
        "pre_test_failed",
        "pre_test_failed",
        "runtime_error",
        "runtime_error",
        "bad_literal",
    ]
