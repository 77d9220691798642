"""What comes back: one outcome per call, of the right status, whatever a program does."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.domain.ports import Call, Limits, Program, Status
from app.domain.values import Unsupported, render, same
from tests.contracts.sandboxes.conftest import Subject
from tests.domain.values.strategies import values

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_one_outcome_per_call_in_order(subject: Subject) -> None:
    execution = await subject.execute("def f(a, b=2):\n    return a / b", (1,), (1, 0), ("x",), (3, 4))
    assert [o.status.value for o in execution.outcomes] == ["value", "exception", "exception", "value"]
    assert [o.error for o in execution.outcomes] == ["", "ZeroDivisionError", "TypeError", ""]
    assert execution.outcomes[0].value == 0.5
    assert execution.outcomes[1].detail == "division by zero"
    assert execution.wall_us > 0
    assert execution.cpu_us > 0
    assert execution.max_rss_kb > 0


async def test_several_functions_share_the_module(subject: Subject) -> None:
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return x\ndef g():\n    return seen"
    calls = (Call("f", (1,)), Call("g", ()), Call("h", ()), Call("f", (2,)), Call("g", ()))
    outcomes = (await subject.sandbox.run(Program(source, calls))).outcomes
    assert [o.value for o in outcomes] == [1, [1], None, 2, [1, 2]]
    assert (outcomes[2].status, outcomes[2].error, outcomes[2].loading) == (Status.EXCEPTION, "NameError", True)


async def test_no_calls(subject: Subject) -> None:
    assert (await subject.sandbox.run(Program("x = 1", ()))).outcomes == ()


@given(value=values)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_values_cross_exactly(subject: Subject, value: object) -> None:
    there_and_back = await subject.value("def f(x):\n    return x", value)
    assert same(there_and_back, value)
    written = await subject.value(f"def f():\n    return {render(value)}")
    assert same(written, value)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def f(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os", "ModuleNotFoundError"),
        ("x = '\0'", {"ValueError", "SyntaxError"}),
        ("class E(Exception):\n    def __str__(self): raise E\nraise E", "E"),
        ("(" * 100_000, {"SyntaxError", "MemoryError", "RecursionError"}),
        ("x = 1", "NameError"),
    ],
)
async def test_failing_to_load(subject: Subject, source: str, error: Any) -> None:
    execution = await subject.execute(source, (), ())
    for outcome in execution.outcomes:
        assert outcome.loading
        assert outcome.status in (Status.EXCEPTION, Status.MEMORY)
        assert outcome.status is Status.MEMORY or outcome.error in ({error} if isinstance(error, str) else error)
    await subject.assert_calm()


@pytest.mark.parametrize("source", ["while True: pass", "import queue\nqueue.Queue().get()", "10 ** 10 ** 9"])
async def test_time_spent_on_loading_is_said_to_be(subject: Subject, source: str) -> None:
    outcome = await subject.outcome(source, limits=Limits(wall_ms=200, cpu_ms=200))
    assert (outcome.status, outcome.loading) == (Status.TIMEOUT, True)
    await subject.assert_calm()


UNSUPPORTED = {
    "object": "object()",
    "function": "f",
    "class": "int",
    "generator": "(i for i in [])",
    "coroutine": "(lambda: 0).__code__",
    "subclass of int": "type('I', (int,), {})(1)",
    "subclass of str in a list": "[type('S', (str,), {})('x')]",
    "equal to everything": "type('E', (), {'__eq__': lambda s, o: True, '__hash__': lambda s: 1})()",
    "equal to everything, as a key": "{type('E', (), {'__eq__': lambda s, o: True, '__hash__': lambda s: 1})(): 1}",
    "with __reduce__": "type('R', (), {'__reduce__': lambda s: (print, ())})()",
    "exception": "ValueError('x')",
    "bytearray": "bytearray(3)",
    "range": "range(3)",
    "ordered dict": "__import__('collections').OrderedDict(a=1)",
    "fraction": "__import__('fractions').Fraction(1, 2)",
    "deep": "deep(60)",
    "deeper": "deep(100000)",
    "cyclic": "cyclic()",
    "a class with an evil name": "Evil()",
}


@pytest.mark.parametrize("expression", UNSUPPORTED.values(), ids=UNSUPPORTED)
async def test_only_plain_values_come_out(subject: Subject, expression: str) -> None:
    source = f"""
class Meta(type):
    __name__ = property(lambda self: 1 / 0)
    def __instancecheck__(self, other): return True
class Evil(metaclass=Meta): pass
def deep(n):
    x = []
    for _ in range(n): x = [x]
    return x
def cyclic():
    x = []; x.append(x)
    return x
def f():
    return {expression}
"""
    assert (await subject.outcome(source)).status is Status.UNSUPPORTED
    await subject.assert_calm()


async def test_a_value_that_repeats_itself_without_end(subject: Subject) -> None:
    source = "def f():\n    x = 'x'\n    for _ in range(40): x = [x, x]\n    return x"
    assert (await subject.outcome(source)).status in (Status.UNSUPPORTED, Status.TIMEOUT)
    await subject.assert_calm()


async def test_arguments_that_are_no_values_are_the_callers_fault(subject: Subject) -> None:
    with pytest.raises(Unsupported):
        await subject.execute("def f(x): return 1", (object(),))
    await subject.assert_calm()


async def test_output_is_bounded_over_all_calls(subject: Subject) -> None:
    source = "def f(n):\n    return 'x' * n"
    limits = Limits(output_bytes=10_000)
    execution = await subject.execute(source, (4_000,), (4_000,), (4_000,), (1,), limits=limits)
    assert [o.status.value for o in execution.outcomes] == ["value", "value", "output_limit", "output_limit"]
    await subject.assert_calm()


async def test_endless_printing_goes_nowhere(subject: Subject) -> None:
    source = "import sys\ndef f():\n    while True: print('x' * 1000, file=sys.stderr); print('y' * 1000)"
    outcome = await subject.outcome(source, limits=Limits(wall_ms=200, cpu_ms=200))
    assert outcome.status is Status.TIMEOUT
    assert await subject.value("def f():\n    print('hello')\n    return 1") == 1


async def test_input_is_empty(subject: Subject) -> None:
    assert (await subject.outcome("def f(): return input()")).error == "EOFError"
    assert await subject.value("import sys\ndef f(): return sys.stdin.read()") == ""


async def test_huge_integers_cross(subject: Subject) -> None:
    assert await subject.value("def f(x): return x * 10 ** 5000", 10**5000) == 10**10000
    assert (await subject.outcome("def f(): return str(10 ** 5000)")).error == "ValueError"


async def test_unicode_oddities_cross(subject: Subject) -> None:
    text = "\ud800\udc00 \u202e \0 \U0001f600"
    assert await subject.value("def f(x): return x + chr(0xd800)", text) == text + "\ud800"


async def test_special_floats_cross(subject: Subject) -> None:
    value = await subject.value("def f(x): return [x, -x, 0.0 * -1, x - x]", math.inf)
    assert repr(value) == "[inf, -inf, -0.0, nan]"


async def test_messages_of_exceptions_are_bounded(subject: Subject) -> None:
    outcome = await subject.outcome("def f(): raise type('N' * 5000, (Exception,), {})('x' * 10 ** 6)")
    assert outcome.status is Status.EXCEPTION
    assert 0 < len(outcome.error) <= 100
    assert 0 < len(outcome.detail) <= 400


EVIL_EXCEPTIONS = {
    "__str__ raises": "class E(Exception):\n    def __str__(self): raise KeyError",
    "__str__ exits": "class E(Exception):\n    def __str__(self): raise SystemExit",
    "__str__ gives another type": "class E(Exception):\n    def __str__(self): return 3",
    "__str__ gives a subclass": "class S(str):\n    def __getitem__(self, i): raise KeyError\n"
    "class E(Exception):\n    def __str__(self): return S('x')",
    "its class has an evil name": "class M(type):\n    __name__ = property(lambda s: 1 / 0)\n"
    "class E(Exception, metaclass=M): pass",
    "a base exception": "class E(BaseException): pass",
    "keyboard": "E = KeyboardInterrupt",
    "an exit": "E = SystemExit",
    "a generator's": "E = GeneratorExit",
}


@pytest.mark.parametrize("definition", EVIL_EXCEPTIONS.values(), ids=EVIL_EXCEPTIONS)
async def test_evil_exceptions_are_exceptions(subject: Subject, definition: str) -> None:
    execution = await subject.execute(f"{definition}\ndef f(x):\n    if x: raise E\n    return 7", (1,), (0,))
    assert execution.outcomes[0].status is Status.EXCEPTION
    assert execution.outcomes[1].value == 7
    await subject.assert_calm()


async def test_many_at_once_do_not_mix(subject: Subject) -> None:
    source = "def f(x):\n    return x * 2"
    values = await asyncio.gather(*(subject.value(source, number) for number in range(100)))
    assert values == [number * 2 for number in range(100)]
