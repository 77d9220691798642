"""Judging replies to one problem: alike wherever it is done, in a run, for the API and for `cairn verify`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from app.domain.ports import Environment, Sandbox
from app.domain.problem import Judgement, Problem, Verdict

# Verdicts that an infrastructure error hit are sought this often in all, then left as errors.
_TRIES = 3


async def judge(
    environment: Environment,
    problem: Problem,
    replies: Sequence[str],
    sandbox: Sandbox,
    pause_s: Callable[[int], float],
) -> list[Judgement]:
    """One judgement per reply. `pause_s` gives the seconds to wait after each try that left errors."""
    judgements = await environment.verify(problem, replies, sandbox)
    for attempt in range(1, _TRIES):
        again = [i for i, judgement in enumerate(judgements) if judgement.verdict is Verdict.ERROR]
        if not again:
            break
        await asyncio.sleep(pause_s(attempt))
        repeated = await environment.verify(problem, [replies[i] for i in again], sandbox)
        for i, judgement in zip(again, repeated, strict=True):
            judgements[i] = judgement
    return judgements
