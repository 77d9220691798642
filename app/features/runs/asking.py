"""Asking models and the sandbox with patience: again while the trouble may pass, and aloud while it lasts.

A failed request is made again with the same seed, so that a fault changes no result.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.domain.problem import Reply
from app.errors import AppError, EngineError, SandboxUnavailable
from app.features.runs.flow.limiter import Stopped
from app.features.runs.flow.role import Role
from app.features.runs.metering import Meter

T = TypeVar("T")
Record = Callable[[str, str, str], Awaitable[None]]  # stage, kind, message

_LONGEST_PAUSE_S = 20.0
# While a server is down, a chain that waits for it adds no more than one incident of a kind in this time.
_TELL_AGAIN_S = 60.0


class StageFailed(Exception):
    """Infrastructure that stayed broken: nothing is recorded but the incident, and the run pauses."""

    def __init__(self, stage: str, kind: str, cause: AppError) -> None:
        super().__init__(f"{stage}: {cause}")
        self.stage = stage
        self.kind = kind
        self.cause = cause


class CapReached(Stopped):
    """The run has spent what it may: the chain has finished what it paid for, and asks for no more."""


class ContextOverflow(Exception):
    """The prompt does not fit into the model's context: this one never will, others may."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How trouble is sat out: by pauses that double from the first on, until it has lasted too long."""

    first_pause_s: float
    lasts_s: float

    def pause(self, attempt: int) -> float:
        """Seconds after the given try; jittered, so that many chains do not come back at once."""
        doubled = min(_LONGEST_PAUSE_S, self.first_pause_s * 2.0 ** min(attempt - 1, 30))
        return doubled * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


class Asker:
    """Makes the requests of one chain, whose branches ask at the same time; `record` writes an incident down."""

    def __init__(
        self, record: Record, patience: Patience, stopping: asyncio.Event, spent: asyncio.Event | None = None
    ) -> None:
        """`spent` is set once no more may be asked for; without one nothing is capped."""
        self._record = record
        self._patience = patience
        self._stopping = stopping
        self._spent = spent
        self._failed = False
        self._told: dict[tuple[str, str], float] = {}

    async def ask_model(
        self,
        stage: str,
        request: Callable[[], Awaitable[Sequence[Reply]]],
        role: Role | None,
        places: int,
        meter: Meter,
    ) -> Sequence[Reply]:
        """As `ask`, once the role has room for as many sequences; the room is kept until the answer is there.

        Raises CapReached where the run may spend no more on its own chains.
        """
        self.go_on()
        self._afford()
        if role is None:
            return await self.ask(stage, lambda: meter.asking(request), meter)
        async with role.hold(places):
            self._afford()
            return await self.ask(stage, lambda: role.watch(lambda: meter.asking(request)), meter)

    def _afford(self) -> None:
        if self._spent is not None and self._spent.is_set():
            raise CapReached

    def go_on(self) -> None:
        """Raises Stopped where no further stage is to begin: the lane ends, or a branch of this chain met trouble."""
        if self._stopping.is_set() or self._failed:
            raise Stopped

    async def ask(self, stage: str, request: Callable[[], Awaitable[T]], meter: Meter | None = None) -> T:
        """The answer. Raises StageFailed when the trouble stays, ContextOverflow, or Stopped.

        A lane that ends waits for this: patience that began anew with every lane would have no end.
        """
        self.go_on()
        clock = asyncio.get_running_loop().time
        began = clock()
        attempt = 1
        while True:
            try:
                return await request()
            except (EngineError, SandboxUnavailable) as error:
                kind = error.kind if isinstance(error, EngineError) else "sandbox"
                if meter is not None:
                    meter.errors += 1
                if kind == "context_overflow":
                    await self._tell(stage, kind, error)
                    raise ContextOverflow from error
                # A request may take longer than all patience: it is made twice at least.
                if not error.retryable or (attempt > 1 and clock() - began > self._patience.lasts_s):
                    self._failed = True
                    raise StageFailed(stage, kind, error) from error
                await self._tell(stage, kind, error)
                wait_s = error.wait_s if isinstance(error, EngineError) else 0.0
            await asyncio.sleep(max(self._patience.pause(attempt), wait_s))
            if self._failed:
                raise Stopped
            attempt += 1

    async def _tell(self, stage: str, kind: str, error: AppError) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told.get((stage, kind), -_TELL_AGAIN_S) < _TELL_AGAIN_S:
            return
        self._told[stage, kind] = now
        await self._record(stage, kind, str(error))
