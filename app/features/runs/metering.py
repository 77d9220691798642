"""What a stage takes: time of its model and of the sandbox, tokens, and requests that had to be repeated.

None of it is a result. It depends on the machine and on the hour, and stands outside of the run's digest.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar, cast

from app.domain.ports import Execution, Isolation, Layer, Program, Sandbox
from app.domain.problem import Reply

T = TypeVar("T")

_MOST = 2**31 - 1  # that the ledger holds of a figure; more is a server's lie

STAGES = ("proposing", "checking", "attempting", "judging")


class Usage(NamedTuple):
    """What one stage took; see app.models.StageUsage."""

    stage: str
    samples: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    wall_s: float
    model_s: float | None
    sandbox_s: float | None
    cpu_s: float | None


class Meter:
    """Of one stage, which begins when this is made."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._began = time.perf_counter()
        self._model_s: float | None = None
        self._ran = _Sandbox(sandbox)
        self.errors = 0

    @property
    def sandbox(self) -> Sandbox:
        """The one given, with all that it runs counted for this stage."""
        return cast("Sandbox", self._ran)  # it lacks `open`, which nobody calls on an open one

    async def asking(self, request: Callable[[], Awaitable[T]]) -> T:
        """Makes a request to a model, and notes how long the answer took."""
        began = time.perf_counter()
        answer = await request()
        self._model_s = time.perf_counter() - began
        return answer

    def usage(self, stage: str, samples: int, replies: Sequence[Reply] = (), errors: int = 0) -> Usage:
        """All that was taken so far; `errors` come beside those that were met on the way."""
        return Usage(
            stage=stage,
            samples=samples,
            errors=self.errors + errors,
            prompt_tokens=min(_MOST, sum(reply.prompt_tokens for reply in replies)),
            completion_tokens=min(_MOST, sum(reply.completion_tokens for reply in replies)),
            wall_s=time.perf_counter() - self._began,
            model_s=self._model_s,
            sandbox_s=self._ran.wall_us / 1e6 if self._ran.programs else None,
            cpu_s=self._ran.cpu_us / 1e6 if self._ran.programs else None,
        )


class _Sandbox:
    """Adds up what the programs of one stage use."""

    def __init__(self, inner: Sandbox) -> None:
        self._inner = inner
        self.programs = self.wall_us = self.cpu_us = 0

    @property
    def isolation(self) -> Isolation:
        return self._inner.isolation

    @property
    def layers(self) -> Sequence[Layer]:
        return self._inner.layers

    async def run(self, program: Program, *, replica: int = 0) -> Execution:
        execution = await self._inner.run(program, replica=replica)
        self.programs += 1
        self.wall_us += execution.wall_us
        self.cpu_us += execution.cpu_us
        return execution
