"""Grades answers: the reward, usable on data that Cairn did not make. The judge is the problem's environment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path

from app import registry
from app.config import settings
from app.domain.code import imports_others
from app.domain.ports import Call, Program, Sandbox
from app.domain.problem import Judgement, Verdict
from app.errors import InvalidInput, SandboxUnavailable
from app.features.grading.files import ProblemFile, open_answers, read_answers
from app.features.grading.judging import judge
from app.features.grading.schemas import Answer, Graded, KnownProblem
from app.isolation import open_sandbox

# Answers to one problem that are judged together, and such batches that are under way per sandbox.
_BATCH = 64
_BATCHES_PER_SANDBOX = 4
_CHECKS_KEPT = 1_000
_PAUSE_S = 0.2

Checks = dict[str, asyncio.Task[Judgement | None]]


async def grade(problems: Path, answers: Path, *, sandboxes: int | None = None) -> AsyncIterator[Graded]:
    """A verdict per line of `answers`, in order, as soon as it is known.

    Answers are read as they are graded, so both files may be larger than memory. Raises InvalidInput, naming file,
    line and field, at what can't be read; the verdicts before it have been given by then. Raises IsolationTooWeak.
    """
    with closing(ProblemFile(problems)) as known, open_answers(answers) as file:
        async for graded in grade_stream(
            known.__getitem__, read_answers(file, str(answers), known), sandboxes=sandboxes
        ):
            yield graded


async def grade_stream(
    problem_of: Callable[[str], KnownProblem], answers: Iterable[Answer], *, sandboxes: int | None = None
) -> AsyncIterator[Graded]:
    """Verdicts in the order of `answers`, of which only a bounded number is held at a time."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_sandbox()) for _ in range(sandboxes or settings().worker_processes)
        ]
        free: asyncio.Queue[Sandbox] = asyncio.Queue()
        for sandbox in opened * _BATCHES_PER_SANDBOX:
            free.put_nowait(sandbox)
        width = free.qsize()
        pending: deque[asyncio.Task[list[Graded]]] = deque()
        checks: Checks = {}
        stack.callback(lambda: [task.cancel() for task in (*pending, *checks.values())])
        batches, failure = _batches(answers), None
        while True:
            try:
                batch = next(batches, None)
            except InvalidInput as error:
                batch, failure = None, error
            if batch is not None:
                pending.append(asyncio.create_task(_grade(problem_of(batch[0].id), batch, free, checks)))
            while pending and (batch is None or len(pending) >= width):
                for graded in await pending.popleft():
                    yield graded
            if batch is None:
                break
        if failure is not None:
            raise failure


async def grade_some(problem: KnownProblem, answers: Sequence[Answer]) -> list[Graded]:
    """A few answers to one problem, in a sandbox of their own."""
    return [graded async for graded in grade_stream(lambda _: problem, answers, sandboxes=1)]


def _batches(answers: Iterable[Answer]) -> Iterator[list[Answer]]:
    """Neighbouring answers to one problem; what was read before a bad line still comes."""
    batch: list[Answer] = []
    try:
        for answer in answers:
            if batch and (answer.id != batch[0].id or len(batch) == _BATCH):
                yield batch
                batch = []
            batch.append(answer)
    except InvalidInput:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


async def _grade(
    known: KnownProblem, answers: Sequence[Answer], free: asyncio.Queue[Sandbox], checks: Checks
) -> list[Graded]:
    sandbox = await free.get()
    try:
        broken = None if known.checked else await _check_once(known, sandbox, checks)
        if broken is not None:
            return [Graded.of(answer.id, broken) for answer in answers]
        read = iter(await _judge(known, [answer.reply for answer in answers if answer.verdict is None], sandbox))
        return [Graded.of(answer.id, answer.verdict or next(read)) for answer in answers]
    finally:
        free.put_nowait(sandbox)


async def _check_once(known: KnownProblem, sandbox: Sandbox, checks: Checks) -> Judgement | None:
    """One look at each problem that Cairn did not make, whatever the number of its answers."""
    if known.id not in checks:
        while len(checks) >= _CHECKS_KEPT:
            checks.pop(next(iter(checks)))
        checks[known.id] = asyncio.create_task(_broken(known, sandbox))
    return await checks[known.id]


async def _broken(known: KnownProblem, sandbox: Sandbox) -> Judgement | None:
    """What is wrong with a problem whose own gold values do not pass: no answer to it can be blamed."""
    if imports_others(known.problem.program) and (missing := await _missing(known, sandbox)):
        return missing
    reference = registry.environment(known.problem.environment).reference_answer(known.problem)
    (judgement,) = await _judge(known, [reference], sandbox)
    if judgement.verdict is not Verdict.FAILED:
        return None if judgement.verdict is Verdict.PASSED else judgement
    detail = f"The problem's own answer does not pass: {judgement.reason}. {judgement.detail}"
    return judgement._replace(verdict=Verdict.ERROR, reason="broken_problem", detail=detail)


async def _missing(known: KnownProblem, sandbox: Sandbox) -> Judgement | None:
    """Where the program can't import what it needs. The gold answer alone need not show it: it may pass unrun."""
    program = Program(known.problem.program, (Call("f", known.problem.inputs[0]),))
    try:
        (outcome,) = (await sandbox.run(program)).outcomes
    except SandboxUnavailable as error:
        return Judgement(Verdict.ERROR, "sandbox_unavailable", error.message)
    if not (outcome.loading and outcome.error == "ModuleNotFoundError"):
        return None
    detail = f"The problem's program can't be loaded: {outcome.detail}. See CAIRN_SANDBOX_LIBRARIES."
    return Judgement(Verdict.ERROR, "broken_problem", detail)


async def _judge(known: KnownProblem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:
    environment = registry.environment(known.problem.environment)
    return await judge(environment, known.problem, replies, sandbox, lambda attempt: _PAUSE_S * attempt)
