"""Induction: the student sees what the function is for and some of its pairs, and writes a program for all of them.

Some pairs stay hidden, so that a table of the shown ones does not pass; `visible_inputs` at or above the number of
inputs shows all, which is the rule of arXiv 2603.24202.
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
from app.domain.values import Arguments, Value, render, same
from app.environments._common.blocks import blocks
from app.environments._common.execution import execute, shown_arguments, written
from app.environments._common.judging import PASSED, call_all, failed, judge_replies, not_a_value, read_source
from app.environments._common.options import CommonOptions
from app.environments._common.programs import check_arity, choose_program, read_program, signature
from app.environments._common.proposals import distinct, read_inputs, read_message
from app.environments._common.wording import earlier_reference, quoted_code


class Options(CommonOptions):
    inputs: int = Field(default=6, ge=2, le=32, title="Inputs", description="Different inputs that a problem needs.")
    visible_inputs: int = Field(
        default=4, ge=1, le=32, title="Visible inputs", description="Pairs that the student sees, the first ones."
    )
    message_chars: int = Field(
        default=4_000, ge=100, le=40_000, title="Longest message", description="Characters of the message."
    )


class Induction:
    name: ClassVar[str] = "induction"
    title: ClassVar[str] = "Induction"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[BaseModel]] = Options
    reasons: ClassVar[Mapping[str, Reason]] = {**ATTEMPT, **VALIDITY}

    def parse(self, reply: str) -> Draft:
        found = blocks(reply)
        return Draft(choose_program(found, ("f",)), read_inputs(found), read_message(found))

    async def check(self, draft: Draft, sandbox: Sandbox, options: BaseModel) -> Problem:
        settings = Options.model_validate(options)
        tree = read_program(draft.program, ("f",), settings.program_chars)
        if len(draft.message) > settings.message_chars:
            raise InvalidProposal("too_long", f"The message has more than {settings.message_chars:,} characters.")
        if phrase := earlier_reference(draft.message):
            raise InvalidProposal("refers_to_earlier", f"The message says {phrase!r}.")
        if line := quoted_code(draft.message, draft.program, tree):
            raise InvalidProposal("leaks_code", f"The message contains {line!r}.")
        inputs = distinct(draft.inputs, settings.inputs)
        check_arity(tree, "f", inputs)
        outputs = await execute(draft.program, [Call("f", i) for i in inputs], sandbox, settings.limits)
        for number, (arguments, output) in enumerate(zip(inputs, outputs, strict=True), 1):
            written(arguments, settings.value_chars, f"Input {number}")
            written(output, settings.value_chars, f"Output {number}")
        shown = outputs[: settings.visible_inputs]
        for what, some in (("All", outputs), (f"The first {len(shown)}", shown)):
            if len(some) > 1 and all(same(output, some[0]) for output in some):
                raise InvalidProposal("constant_output", f"{what} outputs are {render(some[0])[:200]}.")
        return Problem(self.name, draft.program, inputs, outputs, draft.message, settings.model_dump())

    def present(self, problem: Problem) -> Mapping[str, Value]:
        """`message`, `signature`, `examples` (pairs of arguments and output) and the number of `hidden` pairs."""
        settings = Options.model_validate(problem.options)
        pairs = list(zip(problem.inputs, problem.outputs, strict=True))
        visible = pairs[: settings.visible_inputs]
        return {
            "message": problem.message,
            "signature": signature(problem.program, "f"),
            "examples": visible,
            "hidden": len(pairs) - len(visible),
        }

    async def verify(self, problem: Problem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:
        return await judge_replies(replies, "python", read_source, partial(_judge, problem, sandbox))

    def reference_answer(self, problem: Problem) -> str:
        return fenced(problem.program, "python")


async def _judge(problem: Problem, sandbox: Sandbox, source: str) -> Judgement:
    limits = Options.model_validate(problem.options).limits
    outcomes = await call_all(source, [Call("f", arguments) for arguments in problem.inputs], sandbox, limits)
    for arguments, gold, outcome in zip(problem.inputs, problem.outputs, outcomes, strict=True):
        where = _where(arguments)
        if bad := not_a_value(outcome, where):
            return bad
        if not same(outcome.value, gold):
            return failed("wrong_value", f"{where} gave {render(outcome.value)[:300]}, not {render(gold)[:300]}.")
    return PASSED


def _where(arguments: Arguments) -> str:
    return f"f({shown_arguments(arguments)})"
