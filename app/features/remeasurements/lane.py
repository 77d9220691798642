"""A lane that measures: one process lets one student try many variants at once, in one event loop.

As a lane of a run it holds nothing that the database does not, and may be killed at any moment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress

from pydantic import ValidationError

from app import prompts, registry
from app.config import Settings, settings
from app.domain.ports import AttemptRequest, EngineContext, Sandbox, Student
from app.domain.problem import Reply, Verdict
from app.domain.randomness import derive
from app.errors import AppError, EngineError, InvalidForm, LeaseLost, StorageFull, Unavailable
from app.features.grading.judging import judge
from app.features.remeasurements import ledger
from app.features.remeasurements.ledger import Claim, Item
from app.features.runs import claims
from app.features.runs.asking import Asker, ContextOverflow, Patience, StageFailed
from app.features.runs.flow.crew import Crew
from app.features.runs.flow.limiter import Stopped
from app.features.runs.flow.role import Role, role_of
from app.features.runs.ledger import Ledger
from app.features.runs.metering import Meter
from app.isolation import open_sandbox
from app.messages import by_field

_log = logging.getLogger(__name__)

# Variants under way at once: what a student takes is for its role to say, this bounds what waits for it.
_WORKERS = 512
# How soon a lane notices that its request was paused or cancelled.
_NOTICE_S = 1.0
# How long a step under way may still take when the process is asked to end.
_GRACE_S = 3.0


def drive(remeasurement_id: int, should_stop: Callable[[], bool]) -> bool:
    """Measures until nothing is left, the slice is over and somebody waits, or `should_stop`.

    Returns whether another lane should follow. A message for a request that is driven, or over, returns at once.
    """
    return asyncio.run(_Lane(remeasurement_id, should_stop, settings()).run())


class _Lane:
    def __init__(self, remeasurement_id: int, should_stop: Callable[[], bool], config: Settings) -> None:
        self._id = remeasurement_id
        self._should_stop = should_stop
        self._settings = config
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._ledger = Ledger(patience_s=config.lease_s)
        self._stopping = asyncio.Event()

    async def run(self) -> bool:
        try:
            claim = await self._ledger.write(ledger.claim, self._id, self._owner)
            if claim is None:
                return False
            try:
                return await self._measure(claim)
            except* Stopped:
                _log.info("remeasurement %s: this lane was asked to end", self._id)
            except* LeaseLost as group:
                _log.info("%s", _first(group))
            except* (Unavailable, StorageFull):
                # Nothing can be written down now; the reconciler sends another lane when that is over.
                _log.exception("remeasurement %s: this lane ends", self._id)
            except* StageFailed as group:
                await self._pause(claim, str(_first(group)))
            except* Exception as group:
                error = _first(group)
                await self._pause(
                    claim, str(error) if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
                )
                if not isinstance(error, AppError):
                    raise
            finally:
                await self._leave(claim)
            return False
        finally:
            self._ledger.close()

    async def _leave(self, claim: Claim) -> None:
        try:
            await self._ledger.write(ledger.release, claim)
        except (Unavailable, StorageFull):
            _log.warning("remeasurement %s: its lease could not be given back, and runs out", self._id)

    async def _pause(self, claim: Claim, error: str) -> None:
        _log.error("remeasurement %s pauses: %s", self._id, error)
        with suppress(Unavailable, StorageFull):
            await self._ledger.write(ledger.pause, claim, error)

    async def _measure(self, claim: Claim) -> bool:
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(open_sandbox())
            student = await _open_student(claim, stack)
            role = role_of(student, claim.config.attempts)
            crew = Crew(None, role, self._settings.lane_chains)
            items = await self._ledger.write(ledger.open_items, claim)
            left = iter(items)
            one = _Measuring(claim, self._ledger, sandbox, student, role, self._settings, self._stopping)
            async with asyncio.TaskGroup() as group:
                adapting = group.create_task(crew.keep_adapting(self._settings.control_s))
                watching = group.create_task(self._watch(claim, crew))
                workers = [group.create_task(self._work(one, left)) for _ in range(min(_WORKERS, len(items)))]
                await asyncio.gather(*workers)
                for task in (adapting, watching):
                    task.cancel()
            return self._stopping.is_set() and not self._should_stop()

    async def _work(self, one: _Measuring, left: Iterator[int]) -> None:
        with suppress(Stopped):
            while not self._stopping.is_set() and (variant_id := next(left, None)) is not None:
                await one.measure(variant_id)

    async def _watch(self, claim: Claim, crew: Crew) -> None:
        """Keeps the lease. Raises LeaseLost once it is gone, or the request was paused or cancelled.

        Raises Stopped when the process must end.
        """
        clock = asyncio.get_running_loop().time
        slice_end = clock() + self._settings.lane_slice_s
        next_beat = clock()
        while True:
            if clock() >= next_beat:
                next_beat = clock() + min(_NOTICE_S, self._settings.heartbeat_s)
                if not await self._ledger.write(ledger.renew, claim):
                    raise LeaseLost(f"Remeasurement {claim.id} was paused or cancelled, or is driven by another lane.")
            if self._should_stop():
                self._end(crew)
                await asyncio.sleep(_GRACE_S)
                raise Stopped
            if clock() > slice_end and await self._ledger.write(claims.others_wait, None):
                self._end(crew)
            await asyncio.sleep(self._settings.control_s)

    def _end(self, crew: Crew) -> None:
        """Nothing more begins; steps under way come to their end."""
        self._stopping.set()
        crew.close()


class _Measuring:
    """Takes one variant after the other through its two steps."""

    def __init__(
        self,
        claim: Claim,
        writer: Ledger,
        sandbox: Sandbox,
        student: Student,
        role: Role | None,
        config: Settings,
        stopping: asyncio.Event,
    ) -> None:
        self._claim = claim
        self._writer = writer
        self._sandbox = sandbox
        self._student = student
        self._role = role
        self._stopping = stopping
        self._patience = Patience(config.retry_pause_s, config.retry_for_s)

    async def measure(self, variant_id: int) -> None:
        """Raises LeaseLost, StageFailed or Stopped; the ledger is consistent after each."""
        item = await self._writer.write(ledger.load, self._claim, variant_id)
        replies: Sequence[Reply] = item.replies
        if not replies:
            try:
                replies = await self._attempt(item)
            except ContextOverflow:
                await self._writer.write(ledger.set_aside, self._claim, variant_id, "too_long")
                return
        if self._stopping.is_set():
            raise Stopped
        environment = registry.environment(item.environment)
        texts = [reply.text for reply in replies]
        judgements = await judge(environment, item.problem, texts, self._sandbox, self._patience.pause)
        if sum(judgement.verdict is not Verdict.ERROR for judgement in judgements) < self._claim.config.minimum:
            await self._writer.write(ledger.set_aside, self._claim, variant_id, "not_judged")
            return
        cut = sum(reply.finish_reason == "length" for reply in replies)
        await self._writer.write(
            ledger.save_judgements, self._claim, variant_id, judgements, cut, self._sandbox.isolation.value
        )

    async def _attempt(self, item: Item) -> list[Reply]:
        view = registry.environment(item.environment).present(item.problem)
        request = AttemptRequest(
            environment=item.environment,
            view=view,
            messages=prompts.student_messages(item.environment, view),
            prompt=prompts.student_prompt(item.environment, view),
            n=self._claim.config.attempts,
            rng=derive("remeasure", self._claim.config.seed, item.environment, item.content_hash),
            stop=prompts.BASE_STOP,
        )
        meter = Meter(self._sandbox)
        asker = Asker(self._log, self._patience, self._stopping)
        replies = await asker.ask_model("student", lambda: self._student.attempt(request), self._role, request.n, meter)
        if len(replies) != request.n:
            error = EngineError(
                "wrong_count", f"The student returned {len(replies)} replies instead of {request.n}.", retryable=False
            )
            raise StageFailed("student", "wrong_count", error)
        await self._writer.write(
            ledger.save_attempts, self._claim, item.variant_id, prompts.prompt_hash(item.environment), replies
        )
        return list(replies)

    async def _log(self, stage: str, kind: str, message: str) -> None:
        _log.warning("remeasurement %s, %s, %s: %s", self._claim.id, stage, kind, message)


async def _open_student(claim: Claim, stack: AsyncExitStack) -> Student:
    """Raises InvalidForm: what was right when it was asked for may not be any more, as a host that is off the list."""
    choice = claim.config.student
    engine = registry.engine(choice.engine)
    try:
        options = engine.StudentOptions.model_validate(choice.options)
    except ValidationError as error:
        raise InvalidForm(by_field(error, "student.options")) from error
    return await stack.enter_async_context(engine.student(options, EngineContext(open_sandbox)))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
