"""Keeps one server running: started, probed until it works, watched, and started again whenever it ends.

Also when it ends with status 0, as vLLM does after its engine was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from app.errors import Unavailable
from app.local import guard
from app.local.ports import check_free
from app.local.supervisor import Service, Supervisor
from app.serving.probe import Endpoint
from app.serving.switch import Member, Switch

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
# A server that worked for so long has recovered: its next end is a new one.
_STABLE_S = 300.0
_LOOK_S = 10.0
_MISSES = 3
_READY_POLL_S = 0.5
_GRACE_BEYOND_S = 10.0


@dataclass(frozen=True, slots=True)
class Served:
    """What to run, and where it then answers."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    endpoint: Endpoint
    host: str
    port: int
    ready_within_s: float
    shutdown_s: float


@dataclass(slots=True)
class Keeper:
    """`run` is one task; `kill` and `give_up` may be called meanwhile. `say` is told of every change of state."""

    served: Served
    folder: Path
    say: Callable[[str, str], None]
    switch: Switch | None = None  # where it shares its GPUs
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _supervisor: Supervisor | None = None
    _given_up: asyncio.Future[str] | None = None
    _worked_s: float = 0.0

    def __post_init__(self) -> None:
        if self.switch is not None:
            endpoint = self.served.endpoint
            self.switch.add(Member(self.served.name, endpoint.sleep, endpoint.wake, self.give_up))

    async def run(self) -> None:
        """Until cancelled; then the server is asked to end, and is gone when this returns."""
        pause = _FIRST_PAUSE_S
        while True:
            self._worked_s = 0.0
            try:
                await self._serve()
            except (Unavailable, OSError) as error:  # OSError: no room for its log, say
                told = str(error)
            if self._worked_s > _STABLE_S:
                pause = _FIRST_PAUSE_S
            self.say(self.served.name, f"starts again in {pause:g} s: {told}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def give_up(self, reason: str) -> None:
        """Ends the server's processes at once; it is started again."""
        if self._given_up is not None and not self._given_up.done():
            self._given_up.set_result(reason)

    def kill(self) -> None:
        if self._supervisor is not None:
            self._supervisor.kill()

    async def _serve(self) -> NoReturn:
        """Raises Unavailable, saying why, when the server has ended."""
        name, switch = self.served.name, self.switch
        try:
            if switch is not None:
                self.say(name, "waits for its GPU")
                await switch.make_room(name)
            # Whoever took it meanwhile would answer, and be put to sleep, in this server's place.
            check_free(self.served.port, self.served.host)
            self._given_up = asyncio.get_running_loop().create_future()
            async with Supervisor(self.folder) as self._supervisor:
                await self._serve_with(self._supervisor, self._given_up)
        finally:
            self._supervisor = None
            if switch is not None:
                switch.down(name)

    async def _serve_with(self, supervisor: Supervisor, given_up: asyncio.Future[str]) -> NoReturn:
        clock = asyncio.get_running_loop().time
        began = clock()
        self.say(self.served.name, f"starts; log in {self.folder / 'log' / self.served.name}.log")
        await supervisor.start(self._service())
        ready_at = clock()
        self.say(self.served.name, f"ready after {ready_at - began:.0f} s, at {self.served.endpoint.url}/v1")
        self.ready.set()
        if self.switch is not None:
            self.switch.ready(self.served.name)
        try:
            await supervisor.guard(self._watch(given_up))
        except Unavailable:
            supervisor.kill()  # there is nothing left to wait for
            raise
        finally:
            self._worked_s = clock() - ready_at
            self.ready.clear()
        raise AssertionError("a watch without end")

    async def _watch(self, given_up: asyncio.Future[str]) -> NoReturn:
        misses = 0
        while True:
            await asyncio.wait([given_up], timeout=_LOOK_S)
            if given_up.done():
                raise Unavailable(given_up.result())
            misses = 0 if await self.served.endpoint.healthy() else misses + 1
            if misses >= _MISSES:
                raise Unavailable(f"{self.served.endpoint.url}/health failed {misses} times in a row.")

    def _service(self) -> Service:
        async def works() -> bool:
            if await self.served.endpoint.works():
                return True
            await asyncio.sleep(_READY_POLL_S)
            return False

        return Service(
            self.served.name,
            guard.command(*self.served.command),
            environment=self.served.environment,
            ready=works,
            ready_within_s=self.served.ready_within_s,
            grace_s=self.served.shutdown_s + _GRACE_BEYOND_S,
            orphaned=guard.ORPHANED,
        )
