"""Abduction: the student sees a function and an output, and writes an input.

Any input that gives the output counts; the option `exact` is the rule of arXiv 2603.24202, which wants the gold input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import BaseModel, Field

from app.domain.fences import fenced
from app.domain.ports import Call, Sandbox
from app.domain.problem import Draft, Judgement, Problem
from app.domain.reasons import ATTEMPT, VALIDITY, Reason
from app.domain.values import Arguments, Value, render, same
from app.environments._common.blocks import blocks
from app.environments._common.execution import execute, shown_arguments, written
from app.environments._common.judging import PASSED, call_all, failed, judge_replies, not_a_value, read_arguments
from app.environments._common.options import CommonOptions
from app.environments._common.programs import check_arity, check_no_answer, choose_program, read_program
from app.environments._common.proposals import read_inputs

_REASONS = {
    "wrong_input": Reason("The input is not the gold input."),
}


class Options(CommonOptions):
    exact: bool = Field(
        default=False, title="Exact input", description="Reward the gold input only, not every input with that output."
    )


class Abduction:
    name: ClassVar[str] = "abduction"
    title: ClassVar[str] = "Abduction"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[BaseModel]] = Options
    reasons: ClassVar[Mapping[str, Reason]] = {**ATTEMPT, **VALIDITY, **_REASONS}

    def parse(self, reply: str) -> Draft:
        """The last input block counts, as a correction of those before it."""
        found = blocks(reply)
        return Draft(choose_program(found, ("f",)), read_inputs(found)[-1:])

    async def check(self, draft: Draft, sandbox: Sandbox, options: BaseModel) -> Problem:
        settings = Options.model_validate(options)
        tree = read_program(draft.program, ("f",), settings.program_chars)
        check_arity(tree, "f", draft.inputs)
        outputs = await execute(draft.program, [Call("f", draft.inputs[0])], sandbox, settings.limits)
        written(draft.inputs[0], settings.value_chars, "The input")
        written(outputs[0], settings.value_chars, "The output")
        check_no_answer(draft.program, tree, draft.inputs[0])
        return Problem(self.name, draft.program, draft.inputs, outputs, options=settings.model_dump())

    def present(self, problem: Problem) -> Mapping[str, Value]:
        """`program` and the `output` to reach."""
        return {"program": problem.program, "output": problem.outputs[0]}

    async def verify(self, problem: Problem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:
        return await judge_replies(replies, "input", read_arguments, partial(_judge, problem, sandbox))

    def reference_answer(self, problem: Problem) -> str:
        return fenced(", ".join(render(argument) for argument in problem.inputs[0]), "input")


async def _judge(problem: Problem, sandbox: Sandbox, answer: Arguments) -> Judgement:
    settings = Options.model_validate(problem.options)
    if same(answer, problem.inputs[0]):
        return PASSED
    if settings.exact:
        return failed("wrong_input", f"The input is {render(problem.inputs[0])[:300]}.")
    (outcome,) = await call_all(problem.program, [Call("f", answer)], sandbox, settings.limits)
    where = f"f({shown_arguments(answer)})"
    if bad := not_a_value(outcome, where):
        return bad
    gold = problem.outputs[0]
    if same(outcome.value, gold):
        return PASSED
    return failed("wrong_value", f"{where} gave {render(outcome.value)[:300]}, not {render(gold)[:300]}.")
