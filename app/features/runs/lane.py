"""A lane: one process driving many chains of one run at once, in one event loop.

A lane holds nothing that the database does not: it claims chains under a lease, renews the lease while it lives, and
may be killed at any moment. It ends after a slice of time, so that deploys and fair sharing need no special case.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from functools import cache

from pydantic import BaseModel, ValidationError

from app import registry
from app.config import Settings, settings
from app.domain.ports import EngineContext, Sandbox, Student, Teacher
from app.errors import AppError, EngineError, InvalidForm, LeaseLost, StorageFull, Unavailable
from app.events import Nudger
from app.features.runs import claims, limits, queries, service, stages, waiting
from app.features.runs.asking import CapReached, Patience, StageFailed
from app.features.runs.claims import Claim
from app.features.runs.flow.crew import Crew
from app.features.runs.flow.limiter import Stopped
from app.features.runs.flow.role import role_of
from app.features.runs.grow import Grower, Tools
from app.features.runs.ledger import Ledger
from app.features.runs.limits import Outlook
from app.features.runs.schemas import RunConfig
from app.features.servers.reporting import Reporter, roles
from app.isolation import open_sandbox
from app.messages import by_field

_log = logging.getLogger(__name__)

# How long a stage under way may still take when the process is asked to end.
_GRACE_S = 3.0
# A look at goals and caps reads all that the run has grown: so many times as long as it took, there is no other.
_LOOKS_REST = 10
# A claim passes over all chains that are driven by now: a large crew is filled up when one in so many of its places is
# free, or once in a while.
_SHARES = 16
# For so long the run's other lanes may be about to come, and are left their share of the chains.
_JOINING_S = 3.0
# By default each 700 new objects set the collector looking for cycles, of which a lane makes hardly any, among the
# texts of all its chains: it took a fifteenth of a lane's time.
_COLLECT = (20_000, 10, 10)
# Chains that end together are looked at together: a large run ends many in a second.
_MOMENT_S = 0.05


def drive(run_id: int, should_stop: Callable[[], bool]) -> bool:
    """Drives chains of `run_id` until there are none, the slice is over, or `should_stop`.

    Returns whether a further lane should follow. A message for a run that has all its lanes, or is over, returns at
    once.
    """
    _collect_seldom()
    return asyncio.run(_Lane(run_id, should_stop, settings()).run())


@cache
def _collect_seldom() -> None:
    """Once in a process. What stands before its first lane is code, nearly all of it, which the collector may spare."""
    gc.set_threshold(*_COLLECT)
    gc.freeze()


def drive_until_over(run_id: int) -> None:
    """One lane after the other until the run has nothing left for this process; ends on SIGTERM like a worker."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    while drive(run_id, asked.is_set):
        pass


class _Lane:
    def __init__(self, run_id: int, should_stop: Callable[[], bool], config: Settings) -> None:
        self._run_id = run_id
        self._should_stop = should_stop
        self._settings = config
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._ledger = Ledger(patience_s=config.lease_s)
        self._nudger = Nudger(run_id)
        self._growing: dict[asyncio.Task[None], Claim] = {}
        self._ended: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._spent = asyncio.Event()
        self._outlook = Outlook()
        self._next_look = 0.0
        self._next_claim = 0.0
        self._share = 0
        self._joining_until = 0.0
        self._grace_s = _GRACE_S

    async def run(self) -> bool:
        try:
            async with AsyncExitStack() as stack:
                sandbox = await stack.enter_async_context(open_sandbox())
                slot = await self._ledger.write(claims.take_slot, self._run_id, self._owner, sandbox.isolation.value)
                if slot is None:
                    return False
                try:
                    return await self._drive(sandbox, stack)
                except (Unavailable, StorageFull):
                    # Nothing can be written down now. When the database is back or has room again, the reconciler
                    # sends another lane.
                    _log.exception("run %s: this lane ends", self._run_id)
                    return False
                except AppError as error:
                    kind = error.kind if isinstance(error, EngineError) else type(error).__name__
                    await self._pause_run("lane", kind, error)
                    return False
                except Exception as error:
                    # A mistake of ours would meet every further lane as well: the run stops and says so.
                    await self._pause_run("lane", type(error).__name__, AppError(f"{type(error).__name__}: {error}"))
                    raise
                finally:
                    await self._leave()
        finally:
            try:
                await self._nudger.close()
            finally:
                await self._ledger.close()

    async def _leave(self) -> None:
        try:
            await self._ledger.write(claims.release, self._run_id, self._owner)
            await self._ledger.write(claims.leave_slot, self._run_id, self._owner)
        except (Unavailable, StorageFull):
            _log.warning("run %s: the leases of this lane could not be given back, and run out", self._run_id)

    async def _drive(self, sandbox: Sandbox, stack: AsyncExitStack) -> bool:
        run = await self._ledger.write(queries.run_to_drive, self._run_id)
        config = RunConfig.model_validate(run.config)
        context = EngineContext(open_sandbox)
        teacher = await stack.enter_async_context(_teacher(config, context))
        student = await stack.enter_async_context(_student(config, context))
        tools = Tools(
            ledger=self._ledger,
            nudger=self._nudger,
            sandbox=sandbox,
            teacher=teacher,
            student=student,
            student_profile_id=run.student_profile_id,
            patience=Patience(self._settings.retry_pause_s, self._settings.retry_for_s),
            stopping=asyncio.Event(),
            spent=self._spent,
            teaching=role_of(teacher, 1),
            learning=role_of(student, config.attempts),
        )
        crew = Crew(tools.teaching, tools.learning, self._settings.lane_chains)
        reporter = Reporter(run.workspace_id, run.id, self._owner, roles(tools.teaching, tools.learning))
        adapting = asyncio.create_task(crew.keep_adapting(self._settings.control_s))
        reporting = asyncio.create_task(reporter.keep_reporting())
        try:
            return await self._loop(config, tools, crew)
        finally:
            adapting.cancel()
            reporting.cancel()
            await self._hand_back(tools, crew)
            await asyncio.wait([reporting])  # whatever became of it: a run never fails for what is told of it
            with suppress(asyncio.CancelledError):
                await adapting

    async def _loop(self, config: RunConfig, tools: Tools, crew: Crew) -> bool:
        """True when the lane gave way to another run, with work left."""
        clock = asyncio.get_running_loop().time
        slice_end = clock() + self._settings.lane_slice_s
        next_beat = clock() + self._settings.heartbeat_s
        self._joining_until = clock() + _JOINING_S
        while True:
            state, undriven = await self._ledger.save(claims.look, self._run_id)
            if state == "cancelled":
                self._grace_s = 0.0  # nothing that is under way would be taken
            if state != "running" or self._should_stop():
                return False
            if clock() > slice_end and not tools.stopping.is_set():
                slice_end = clock() + self._settings.lane_slice_s
                if await self._ledger.write(waiting.others, self._run_id):
                    self._give_way(tools, crew)
            if config.limited:
                await self._look()
            if undriven and not tools.stopping.is_set():
                await self._fill(config, tools, crew)
            if not self._growing:
                return tools.stopping.is_set()
            await self._wait()
            if not await self._collect():
                return False
            if clock() > next_beat:
                next_beat = clock() + self._settings.heartbeat_s
                if not await self._renew():
                    return False
                if await self._ledger.write(waiting.smaller_run, self._run_id, self._owner):
                    self._give_way(tools, crew)

    async def _look(self) -> None:
        """At the run's goals and caps: before chains are claimed, and every so often while some are under way."""
        clock = asyncio.get_running_loop().time
        if self._growing and clock() < self._next_look:
            return
        began = clock()
        self._outlook = await self._ledger.write(limits.look, self._run_id)
        self._next_look = clock() + _LOOKS_REST * (clock() - began)
        if self._outlook.cap:
            self._spent.set()

    def _give_way(self, tools: Tools, crew: Crew) -> None:
        """Chains stop at their next stage boundary; a request under way is never thrown away for this."""
        tools.stopping.set()
        crew.close()

    async def _wait(self) -> None:
        """Until a chain has ended, or it is time for a look at the run; a moment longer, to see several at once."""
        try:
            async with asyncio.timeout(self._settings.control_s):
                await self._news.wait()
                await asyncio.sleep(min(_MOMENT_S, self._settings.control_s))
        except TimeoutError:
            pass
        self._news.clear()

    async def _fill(self, config: RunConfig, tools: Tools, crew: Crew) -> None:
        clock = asyncio.get_running_loop().time
        due = not self._growing or clock() >= self._next_claim
        if due:
            self._next_claim = clock() + self._settings.control_s
            joining = clock() < self._joining_until
            self._share = await self._ledger.write(claims.fair_share, self._run_id, joining=joining)
        room = min(crew.chains, self._share) - len(self._growing)
        if room <= 0 or (not due and room * _SHARES < crew.chains):
            return
        taken = await self._ledger.write(
            claims.claim_chains,
            self._run_id,
            self._owner,
            room,
            alone=not self._growing,
            may_start=self._outlook.may_start,
        )
        for claim in taken:
            task = asyncio.create_task(Grower(claim, config, tools).run(), name=claim.name)
            self._growing[task] = claim
            task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._ended.append(task)
        self._news.set()

    async def _collect(self) -> bool:
        """Looks at the chains that ended; False where the run must pause."""
        ended, self._ended = self._ended, []
        for task in ended:
            claim = self._growing.pop(task)
            error = None if task.cancelled() else task.exception()
            if isinstance(error, StageFailed):
                await self._pause_run(error.stage, error.kind, error.cause, claim.chain_id)
                return False
            if isinstance(error, LeaseLost):
                _log.warning("%s", error)
            elif isinstance(error, AppError):
                raise error
            elif isinstance(error, CapReached):
                await self._end_chain(claim, "stopped", self._outlook.reason)
            elif error is not None and not isinstance(error, Stopped):
                # A mistake of ours: the chain fails visibly, the others go on.
                _log.error("%s failed", claim.name, exc_info=error)
                await self._fail_chain(claim, error)
        return True

    async def _end_chain(self, claim: Claim, state: str, reason: str) -> None:
        try:
            await self._ledger.write(stages.save_end, claim, state, reason)
        except LeaseLost:
            _log.warning("%s went to another lane before its end was recorded", claim.name)

    async def _fail_chain(self, claim: Claim, error: BaseException) -> None:
        kind, message = type(error).__name__, f"{type(error).__name__}: {error}"
        await self._ledger.write(
            stages.save_incident, claim.workspace_id, claim.run_id, claim.chain_id, "lane", kind, message
        )
        await self._end_chain(claim, "failed", "internal_error")

    async def _pause_run(self, stage: str, kind: str, error: AppError, chain_id: int | None = None) -> None:
        _log.error("run %s pauses: %s: %s", self._run_id, stage, error)
        try:
            await self._ledger.write(service.pause_for_error, self._run_id, chain_id, stage, kind, str(error))
        except (Unavailable, StorageFull):
            _log.warning("run %s: the pause could not be written down; another lane will meet the same", self._run_id)

    async def _renew(self) -> bool:
        """Extends the leases; chains that were taken from us meanwhile are dropped. False: the slot is gone."""
        held = await self._ledger.save(claims.renew, self._run_id, self._owner)
        if held is None:
            return False
        for task, claim in self._growing.items():
            if claim.name not in held and not task.done():
                task.cancel()
        return True

    async def _hand_back(self, tools: Tools, crew: Crew) -> None:
        """Lets stages under way end within the grace, then gives every chain back."""
        if self._growing:
            self._give_way(tools, crew)
            await asyncio.wait(self._growing, timeout=self._grace_s)
            for task in self._growing:
                task.cancel()
            await asyncio.gather(*self._growing, return_exceptions=True)
            self._growing.clear()


def _teacher(config: RunConfig, context: EngineContext) -> AbstractAsyncContextManager[Teacher]:
    engine = registry.engine(config.teacher.engine)
    return engine.teacher(_options(engine.TeacherOptions, "teacher", config.teacher.options), context)


def _student(config: RunConfig, context: EngineContext) -> AbstractAsyncContextManager[Student]:
    engine = registry.engine(config.student.engine)
    return engine.student(_options(engine.StudentOptions, "student", config.student.options), context)


def _options(schema: type[BaseModel], role: str, options: Mapping[str, object]) -> BaseModel:
    """Raises InvalidForm: what was right when the run was made may not be any more, as a host that is off the list."""
    try:
        return schema.model_validate(options)
    except ValidationError as error:
        raise InvalidForm(by_field(error, f"{role}.options")) from error
