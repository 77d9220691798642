"""Fuzzing: the student sees `f`, a check of types and shapes, and a property, and writes a valid input that breaks it.

The teacher's first input is the witness that such an input exists; the others show that the property can hold.
A property fails only by returning False: an input on which it raises proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import BaseModel, Field

from app.domain.fences import fenced
from app.domain.ports import Call, Sandbox
from app.domain.problem import Draft, InvalidProposal, Judgement, Problem
from app.domain.reasons import ATTEMPT, VALIDITY, Reason
from app.domain.values import Arguments, Value, render
from app.environments._common.blocks import blocks
from app.environments._common.execution import execute, shown_arguments, written
from app.environments._common.judging import PASSED, call_all, failed, judge_replies, not_a_value, read_arguments
from app.environments._common.options import CommonOptions
from app.environments._common.programs import check_arity, check_no_answer, choose_program, read_program
from app.environments._common.proposals import distinct, read_inputs

_FUNCTIONS = ("f", "pre_test_f", "test_f")
_REASONS = {
    "not_boolean": Reason(
        "A test function returns something other than True or False.",
        "Let pre_test_f and test_f return True or False, and never raise.",
    ),
    "witness_rejected": Reason(
        "The witness is not a valid input.", "Give first an input for which pre_test_f returns True and test_f False."
    ),
    "witness_passes": Reason(
        "The witness does not break the property.",
        "Give first an input for which pre_test_f returns True and test_f False; check it by hand.",
    ),
    "trivially_false": Reason(
        "No valid input has the property.",
        "Let the property hold for most valid inputs, and add an input for which both functions return True.",
    ),
    "pre_test_failed": Reason("The input is not valid: pre_test_f does not return True."),
    "property_holds": Reason("The input has the property: test_f returns True."),
}


class Options(CommonOptions):
    inputs: int = Field(
        default=4, ge=2, le=32, title="Inputs", description="Different inputs that a problem needs, the witness first."
    )


class Fuzzing:
    name: ClassVar[str] = "fuzzing"
    title: ClassVar[str] = "Fuzzing"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[BaseModel]] = Options
    reasons: ClassVar[Mapping[str, Reason]] = {**ATTEMPT, **VALIDITY, **_REASONS}

    def parse(self, reply: str) -> Draft:
        found = blocks(reply)
        return Draft(choose_program(found, _FUNCTIONS), read_inputs(found))

    async def check(self, draft: Draft, sandbox: Sandbox, options: BaseModel) -> Problem:
        """The outputs are what `test_f` gave on the inputs that are valid, False for the witness."""
        settings = Options.model_validate(options)
        tree = read_program(draft.program, _FUNCTIONS, settings.program_chars)
        inputs = distinct(draft.inputs, settings.inputs)
        for name in _FUNCTIONS:
            check_arity(tree, name, inputs)
        for number, arguments in enumerate(inputs, 1):
            written(arguments, settings.value_chars, f"Input {number}")
        calls = [Call("pre_test_f", arguments) for arguments in inputs]
        valid = await execute(draft.program, calls, sandbox, settings.limits)
        _check_boolean("pre_test_f", inputs, valid)
        if not valid[0]:
            raise InvalidProposal("witness_rejected", f"pre_test_f({shown_arguments(inputs[0])}) is False.")
        inputs = tuple(arguments for arguments, ok in zip(inputs, valid, strict=True) if ok)
        holds = await execute(draft.program, [Call("test_f", i) for i in inputs], sandbox, settings.limits)
        _check_boolean("test_f", inputs, holds)
        if holds[0]:
            raise InvalidProposal("witness_passes", f"test_f({shown_arguments(inputs[0])}) is True.")
        if not any(holds):
            raise InvalidProposal("trivially_false", f"test_f is False on all {len(inputs)} valid inputs.")
        check_no_answer(draft.program, tree, inputs[0])
        return Problem(self.name, draft.program, inputs, holds, options=settings.model_dump())

    def present(self, problem: Problem) -> Mapping[str, Value]:
        """`program`: all three functions."""
        return {"program": problem.program}

    async def verify(self, problem: Problem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:
        return await judge_replies(replies, "input", read_arguments, partial(_judge, problem, sandbox))

    def reference_answer(self, problem: Problem) -> str:
        return fenced(", ".join(render(argument) for argument in problem.inputs[0]), "input")


def _check_boolean(name: str, inputs: Sequence[Arguments], results: Sequence[Value]) -> None:
    for arguments, result in zip(inputs, results, strict=True):
        if not isinstance(result, bool):
            raise InvalidProposal("not_boolean", f"{name}({shown_arguments(arguments)}) is {render(result)[:200]}.")


async def _judge(problem: Problem, sandbox: Sandbox, answer: Arguments) -> Judgement:
    limits = Options.model_validate(problem.options).limits
    calls = [Call("pre_test_f", answer), Call("test_f", answer)]
    pre_test, test = await call_all(problem.program, calls, sandbox, limits)
    shown = shown_arguments(answer)
    if bad := not_a_value(pre_test, f"pre_test_f({shown})"):
        return bad
    if pre_test.value is not True:
        return failed("pre_test_failed", f"pre_test_f({shown}) is {render(pre_test.value)[:200]}.")
    if bad := not_a_value(test, f"test_f({shown})"):
        return bad
    if test.value is not False:
        return failed("property_holds", f"test_f({shown}) is {render(test.value)[:200]}.")
    return PASSED
