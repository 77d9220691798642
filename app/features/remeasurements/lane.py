"""A lane that measures: one process lets one student try many variants at once, in one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

from pydantic import ValidationError

from app import prompts, registry
from app.config import Settings
from app.domain.ports import AttemptRequest, EngineContext, Sandbox, Student
from app.domain.problem import Reply, Verdict
from app.domain.randomness import derive
from app.errors import EngineError, InvalidForm
from app.features.grading.judging import judge
from app.features.remeasurements import ledger
from app.features.remeasurements.ledger import Claim, Item
from app.features.runs.asking import Asker, ContextOverflow, Patience, StageFailed
from app.features.runs.driving import RequestLane
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


def drive(remeasurement_id: int, should_stop: Callable[[], bool]) -> bool:
    """As RequestLane.drive."""
    return _Lane(f"remeasurement {remeasurement_id}", remeasurement_id, ledger, should_stop).drive()


class _Lane(RequestLane[Claim]):
    async def work(self, claim: Claim) -> None:
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(open_sandbox())
            student = await _open_student(claim, stack)
            role = role_of(student, claim.config.attempts)
            crew = Crew(None, role, self.settings.lane_chains)
            items = await self.ledger.write(ledger.open_items, claim)
            left = iter(items)
            one = _Measuring(claim, self.ledger, sandbox, student, role, self.settings, self.stopping)
            async with asyncio.TaskGroup() as group:
                adapting = group.create_task(crew.keep_adapting(self.settings.control_s))
                closing = group.create_task(self._close_in_time(crew))
                workers = [group.create_task(self._measure(one, left)) for _ in range(min(_WORKERS, len(items)))]
                await asyncio.gather(*workers)
                for task in (adapting, closing):
                    task.cancel()

    async def _close_in_time(self, crew: Crew) -> None:
        await self.stopping.wait()
        crew.close()

    async def _measure(self, one: _Measuring, left: Iterator[int]) -> None:
        with suppress(Stopped):
            while not self.stopping.is_set() and (variant_id := next(left, None)) is not None:
                await one.measure(variant_id)


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
            chat=partial(prompts.student_messages, item.environment, view),
            plain=partial(prompts.student_prompt, item.environment, view),
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
