"""Judging many replies at once: each distinct answer is verified once, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from app.domain.ports import Call, Limits, Outcome, Program, Sandbox, Status
from app.domain.problem import Judgement, Verdict
from app.domain.text import storable
from app.domain.values import Arguments, LiteralError, Unsupported, Value, dumps, parse_arguments, parse_literal
from app.environments._common.blocks import last
from app.environments._common.execution import failure
from app.errors import SandboxUnavailable

T = TypeVar("T", bound=Value)

PASSED = Judgement(Verdict.PASSED)
_LONGEST_PROGRAM = 100_000


class Unreadable(Exception):
    """An answer block that holds no answer; `reason` is its machine name."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def failed(reason: str, detail: str = "") -> Judgement:
    return Judgement(Verdict.FAILED, reason, storable(detail[:1_000]))


async def judge_replies(
    replies: Sequence[str],
    language: str,
    read: Callable[[str], T],
    judge: Callable[[T], Awaitable[Judgement]],
) -> list[Judgement]:
    """One judgement per reply, in order.

    `read` turns the last block of `language` into a plain value (or raises Unreadable); answers that are the same
    value share one call of `judge`, whatever their spelling.
    """
    texts = [last(reply, language) for reply in replies]
    # What each text comes to: a judgement already, or the key of the answer that is to be judged.
    outcomes: dict[str | None, Judgement | str] = {None: failed("no_answer", f"There is no ```{language} block.")}
    answers: dict[str, T] = {}
    for text in texts:
        if text is None or text in outcomes:
            continue
        try:
            answer = read(text)
        except Unreadable as error:
            outcomes[text] = failed(error.reason, error.detail)
            continue
        key = dumps(answer)
        answers[key] = answer
        outcomes[text] = key
    judged = dict(zip(answers, await asyncio.gather(*(_guarded(judge, a) for a in answers.values())), strict=True))
    found = {
        text: replace(outcome if isinstance(outcome, Judgement) else judged[outcome], answer=text or "")
        for text, outcome in outcomes.items()
    }
    return [found[text] for text in texts]


async def _guarded(judge: Callable[[T], Awaitable[Judgement]], answer: T) -> Judgement:
    try:
        return await judge(answer)
    except Unsupported as error:
        return failed("bad_literal", str(error))
    except SandboxUnavailable as error:
        return Judgement(Verdict.ERROR, "sandbox_unavailable", error.message)


def read_literal(text: str) -> Value:
    try:
        return parse_literal(text)
    except LiteralError as error:
        raise Unreadable("bad_literal", str(error)) from error


def read_arguments(text: str) -> Arguments:
    try:
        return parse_arguments(text)
    except LiteralError as error:
        raise Unreadable("bad_literal", str(error)) from error


def read_source(text: str) -> str:
    """A student's program: never parsed by this process, only handed to the sandbox."""
    if len(text) > _LONGEST_PROGRAM:
        raise Unreadable("too_long", f"The program has {len(text):,} characters; at most {_LONGEST_PROGRAM:,} are run.")
    return text


async def call_all(source: str, calls: Sequence[Call], sandbox: Sandbox, limits: Limits) -> tuple[Outcome, ...]:
    execution = await sandbox.run(Program(source, tuple(calls), limits))
    return execution.outcomes


def not_a_value(outcome: Outcome, where: str) -> Judgement | None:
    """The judgement on an outcome that is no value, None for one that is."""
    if outcome.status is Status.VALUE:
        return None
    reason, what = failure(outcome)
    return failed(reason, f"{where}{f': {what}' if what else ''}")
