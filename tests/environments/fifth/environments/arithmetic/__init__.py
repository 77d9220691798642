"""A fifth environment: a question in words whose answer a program computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import BaseModel

from app.domain.fences import fenced
from app.domain.ports import Call, Sandbox
from app.domain.problem import Draft, InvalidProposal, Judgement, Problem
from app.domain.reasons import ATTEMPT, VALIDITY, Reason
from app.domain.values import Value, render, same
from app.environments._common.blocks import blocks
from app.environments._common.execution import execute
from app.environments._common.judging import PASSED, failed, judge_replies, read_literal
from app.environments._common.options import CommonOptions
from app.environments._common.programs import choose_program, read_program
from app.environments._common.proposals import read_message


class Arithmetic:
    name: ClassVar[str] = "arithmetic"
    title: ClassVar[str] = "Arithmetic"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[BaseModel]] = CommonOptions
    reasons: ClassVar[Mapping[str, Reason]] = {**ATTEMPT, **VALIDITY, "no_number": Reason("The answer is no number.")}

    def parse(self, reply: str) -> Draft:
        found = blocks(reply)
        return Draft(choose_program(found, ("answer",)), ((),), read_message(found))

    async def check(self, draft: Draft, sandbox: Sandbox, options: BaseModel) -> Problem:
        settings = CommonOptions.model_validate(options)
        read_program(draft.program, ("answer",), settings.program_chars)
        outputs = await execute(draft.program, [Call("answer", ())], sandbox, settings.limits)
        if not isinstance(outputs[0], int):
            raise InvalidProposal("no_number", f"answer() is {render(outputs[0])}.")
        return Problem(self.name, draft.program, ((),), outputs, draft.message, settings.model_dump())

    def present(self, problem: Problem) -> Mapping[str, Value]:
        return {"message": problem.message}

    async def verify(self, problem: Problem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:  # noqa: ARG002
        return await judge_replies(replies, "output", read_literal, partial(_judge, problem))

    def reference_answer(self, problem: Problem) -> str:
        return fenced(render(problem.outputs[0]), "output")


async def _judge(problem: Problem, answer: Value) -> Judgement:
    return PASSED if same(answer, problem.outputs[0]) else failed("wrong_value")
