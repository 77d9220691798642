"""Runs services as children: started in order of readiness, ended in reverse, and none outlives this process.

Each child leads a session of its own, so Ctrl-C in a terminal reaches the supervisor alone, which then decides.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from app.errors import Unavailable
from app.local import launch, leftovers, logs

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_POLL_S = 0.03
_LOG_CHECK_S = 30.0
_GONE_S = 30.0
_STEADY_S = 10.0  # what ends sooner would end again


async def _at_once() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Service:
    """One child. `ready` is asked until it says yes; `stop` is the signal that ends it well, within `grace_s`.

    `orphaned` is the signal that it gets when the supervisor is killed, and everything else with it. One that
    `restarts` is started anew when it ends, unless it has just begun.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    ready: Callable[[], Awaitable[bool]] = _at_once
    ready_within_s: float = 60.0
    stop: signal.Signals = signal.SIGTERM
    grace_s: float = 5.0
    orphaned: signal.Signals = signal.SIGKILL
    identity: str = launch.SAME
    restarts: bool = False


@dataclass(slots=True)
class _Child:
    service: Service
    process: asyncio.subprocess.Process
    log: Path
    ended: asyncio.Task[int]
    since: float  # monotonic

    @property
    def fate(self) -> str:
        code = self.ended.result()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        return f"{self.service.name} {how}"

    def signal_all(self, number: signal.Signals) -> None:
        """Reaches the child and what it started, also after its own end."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Supervisor:
    """Use as an async context manager, from the thread that starts it to the end: children die with that thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._groups: list[list[_Child]] = []
        self._ended: list[_Child] = []
        self._any_ended = asyncio.Event()
        self._restarts: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Supervisor:
        self._keeper = asyncio.create_task(self._keep_logs_small())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper:
            self._keeper.cancel()
        await self.stop()

    @property
    def pids(self) -> dict[str, int]:
        return {child.service.name: child.process.pid for child in self._children()}

    async def start(self, *services: Service) -> None:
        """Starts a group at once and waits until all of it is ready. Raises Unavailable with the end of the log."""
        group: list[_Child] = []
        self._groups.append(group)
        for service in services:
            group.append(await self._spawn(service))
        await asyncio.gather(*(self._until_ready(child) for child in group))

    async def guard(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of `work`, unless a service ends meanwhile: that cancels it and raises Unavailable."""
        task = asyncio.create_task(work)
        death = asyncio.create_task(self._any_ended.wait())
        try:
            await asyncio.wait([task, death], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise _death(self._ended[0])
        finally:
            task.cancel()
            death.cancel()
            await asyncio.wait([task, death])

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._restarts)
        while self._groups:
            await asyncio.gather(*(self._end(child) for child in self._groups[-1]))
            self._groups.pop()

    def kill(self) -> None:
        """Ends everything this instant. Data survive: the databases recover when they start again."""
        self._stopping = True
        for child in self._children():
            child.signal_all(signal.SIGKILL)

    def _children(self) -> list[_Child]:
        return [child for group in self._groups for child in group]

    async def _spawn(self, service: Service) -> _Child:
        log = logs.fresh(self._folder / "log", service.name)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *launch.prefix(service.orphaned, service.identity),
                *map(str, service.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                env={**service.environment, leftovers.MARK: str(self._folder)},
            )
        child = _Child(service, process, log, asyncio.create_task(process.wait()), time.monotonic())
        child.ended.add_done_callback(lambda _: self._note_end(child))
        return child

    def _note_end(self, child: _Child) -> None:
        steady = time.monotonic() - child.since > _STEADY_S
        if child.service.restarts and steady and not self._stopping:
            restart = asyncio.create_task(self._restart(child))
            self._restarts.add(restart)
            restart.add_done_callback(self._restarts.discard)
        else:
            self._give_up(child)

    def _give_up(self, child: _Child) -> None:
        self._ended.append(child)
        self._any_ended.set()

    async def _restart(self, child: _Child) -> None:
        _log.warning("%s, and is started anew. The end of its log:\n%s", child.fate, logs.tail(child.log))
        child.signal_all(signal.SIGKILL)  # what it left behind
        await _until_gone(child.process.pid)
        group = next(group for group in self._groups if child in group)
        try:
            group[group.index(child)] = await self._spawn(child.service)
        except OSError:
            self._give_up(child)

    async def _until_ready(self, child: _Child) -> None:
        deadline = time.monotonic() + child.service.ready_within_s
        while not await child.service.ready():
            if child.ended.done():
                raise _death(child)
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{child.service.name} was not ready after {child.service.ready_within_s:.0f} seconds. "
                    f"The end of {child.log}:\n{logs.tail(child.log)}"
                )
            await asyncio.sleep(_POLL_S)

    async def _end(self, child: _Child) -> None:
        if not child.ended.done():
            with suppress(ProcessLookupError):
                child.process.send_signal(child.service.stop)
            await asyncio.wait([child.ended], timeout=child.service.grace_s)
        child.signal_all(signal.SIGKILL)  # what did not listen, and what it left behind
        await child.ended
        await _until_gone(child.process.pid)

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_S)
            for child in self._children():
                logs.cut_back(child.log)


def _death(child: _Child) -> Unavailable:
    return Unavailable(f"{child.fate}. The end of {child.log}:\n{logs.tail(child.log)}")


async def _until_gone(group: int) -> None:
    """A process that was killed keeps its files, ports and memory until it has really ended."""
    deadline = time.monotonic() + _GONE_S
    while _lives(group) and time.monotonic() < deadline:  # noqa: ASYNC110 (of other processes)
        await asyncio.sleep(_POLL_S)


def _lives(group: int) -> bool:
    """Whether any process of the group is left but those that only wait for someone to take note of their end.

    One whose first thread has ended looks like these, and keeps what it has until its last thread has ended too.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user, but there
        return True
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and (
                process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
            ):
                return True
        except (ProcessLookupError, psutil.Error):
            continue
    return False
