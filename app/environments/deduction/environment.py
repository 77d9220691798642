"""Deduction: the student sees a function and one input, and writes the output. Nothing is run to judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import BaseModel

from app.domain.fences import fenced
from app.domain.ports import Call, Sandbox
from app.domain.problem import Draft, Judgement, Problem
from app.domain.reasons import ATTEMPT, VALIDITY, Reason
from app.domain.values import Value, render, same
from app.environments._common.blocks import blocks
from app.environments._common.execution import execute, written
from app.environments._common.judging import PASSED, compare_replies, failed, read_literal
from app.environments._common.options import CommonOptions
from app.environments._common.programs import check_arity, check_no_answer, choose_program, read_program
from app.environments._common.proposals import read_inputs


class Deduction:
    name: ClassVar[str] = "deduction"
    title: ClassVar[str] = "Deduction"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[BaseModel]] = CommonOptions
    reasons: ClassVar[Mapping[str, Reason]] = {**ATTEMPT, **VALIDITY}

    def parse(self, reply: str) -> Draft:
        """The last input block counts, as a correction of those before it."""
        found = blocks(reply)
        return Draft(choose_program(found, ("f",)), read_inputs(found)[-1:])

    async def check(self, draft: Draft, sandbox: Sandbox, options: BaseModel) -> Problem:
        settings = CommonOptions.model_validate(options)
        tree = read_program(draft.program, ("f",), settings.program_chars)
        check_arity(tree, "f", draft.inputs)
        outputs = await execute(draft.program, [Call("f", draft.inputs[0])], sandbox, settings.limits)
        written(draft.inputs[0], settings.value_chars, "The input")
        written(outputs[0], settings.value_chars, "The output")
        check_no_answer(draft.program, tree, outputs)
        return Problem(self.name, draft.program, draft.inputs, outputs, options=settings.model_dump())

    def present(self, problem: Problem) -> Mapping[str, Value]:
        """`program` and the `arguments` of the call."""
        return {"program": problem.program, "arguments": problem.inputs[0]}

    async def verify(self, problem: Problem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:  # noqa: ARG002
        return compare_replies(replies, "output", read_literal, partial(_judge, problem))

    def reference_answer(self, problem: Problem) -> str:
        return fenced(render(problem.outputs[0]), "output")


def _judge(problem: Problem, answer: Value) -> Judgement:
    gold = problem.outputs[0]
    if same(answer, gold):
        return PASSED
    return failed("wrong_value", f"The output is {render(gold)[:300]}, not {render(answer)[:300]}.")
