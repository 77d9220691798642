"""Judging many replies at once: each distinct reply is read once, each distinct answer verified once, all at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

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

    async def guarded(answer: T) -> Judgement:
        try:
            return await judge(answer)
        except Unsupported as error:
            return _unsupported(error)
        except SandboxUnavailable as error:
            return Judgement(Verdict.ERROR, "sandbox_unavailable", error.message)

    answers = _Answers(replies, language, read)
    return answers.judged(await asyncio.gather(*map(guarded, answers.distinct)))


def compare_replies(
    replies: Sequence[str], language: str, read: Callable[[str], T], judge: Callable[[T], Judgement]
) -> list[Judgement]:
    """As `judge_replies`, where nothing is run for it."""

    def guarded(answer: T) -> Judgement:
        try:
            return judge(answer)
        except Unsupported as error:
            return _unsupported(error)

    answers = _Answers(replies, language, read)
    return answers.judged([*map(guarded, answers.distinct)])


class _Answers(Generic[T]):
    """What the replies come to: for each text of an answer a judgement already, or one of the values to be judged."""

    def __init__(self, replies: Sequence[str], language: str, read: Callable[[str], T]) -> None:
        found = {reply: last(reply, language) for reply in dict.fromkeys(replies)}
        self._texts = [found[reply] for reply in replies]
        self._refused: dict[str | None, Judgement] = {}  # by text; None is that of a reply without a block
        self._places: dict[str, int] = {}  # by text, in `distinct`
        known: dict[str, int] = {}  # the same by canonical text
        self.distinct: list[T] = []
        for text in dict.fromkeys(self._texts):
            if text is None:
                self._refused[text] = failed("no_answer", f"There is no ```{language} block.")
                continue
            try:
                answer = read(text)
            except Unreadable as error:
                self._refused[text] = failed(error.reason, error.detail)._replace(answer=text)
                continue
            key = dumps(answer)
            if key not in known:
                known[key] = len(self.distinct)
                self.distinct.append(answer)
            self._places[text] = known[key]

    def judged(self, judgements: Sequence[Judgement]) -> list[Judgement]:
        """For each reply, from one for each of `distinct`."""
        accepted = {text: judgements[place]._replace(answer=text) for text, place in self._places.items()}
        found = self._refused | accepted
        return [found[text] for text in self._texts]


def _unsupported(error: Unsupported) -> Judgement:
    return failed("bad_literal", str(error))


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
