"""A lane's side: every few seconds it says how its servers are."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, cast

import redis

from app.domain.ports import Load, ServerState
from app.features.servers import store
from app.features.servers.schemas import LaneReport, RoleName, RoleReport, Saturation, ServerReport

_log = logging.getLogger(__name__)

EVERY_S = 5.0
# Rates are taken over so many reports: a server's own counters are read at other moments than the report is made.
_WINDOW = 4


class Reporting(Protocol):
    """What a role tells of itself (app.features.runs.flow.role)."""

    @property
    def limit(self) -> int: ...

    @property
    def used(self) -> int: ...

    def servers(self) -> Sequence[ServerState]: ...


class Reporter:
    """Of one lane."""

    def __init__(self, workspace_id: int, run_id: int, owner: str, roles: Mapping[RoleName, Reporting]) -> None:
        self._lane = (workspace_id, run_id, owner)
        self._roles = roles
        self._seen: defaultdict[tuple[str, str], deque[tuple[float, Load]]] = defaultdict(lambda: deque(maxlen=_WINDOW))
        self._told = True
        self._lock = threading.Lock()  # a report that is still on its way is not to come after the last word

    async def keep_reporting(self) -> None:
        """Until cancelled, and then the report is taken back. Where Redis is away nothing is told, and all goes on."""
        if not self._roles:
            return
        try:
            while True:
                report = self.report(asyncio.get_running_loop().time())
                await asyncio.to_thread(self._try, partial(store.put, *self._lane, report))
                await asyncio.sleep(EVERY_S)
        finally:
            await asyncio.to_thread(self._try, partial(store.drop, *self._lane))

    def report(self, now: float) -> LaneReport:
        return LaneReport(
            roles=[
                RoleReport(
                    role=name,
                    limit=role.limit,
                    under_way=role.used,
                    servers=[self._server(name, state, now) for state in role.servers()],
                )
                for name, role in self._roles.items()
            ]
        )

    def _server(self, role: RoleName, state: ServerState, now: float) -> ServerReport:
        return ServerReport(
            address=state.address,
            model=state.model,
            away=state.away,
            under_way=state.under_way,
            saturation=None if state.away or state.load is None else self._saturation(role, state, state.load, now),
        )

    def _saturation(self, role: RoleName, state: ServerState, load: Load, now: float) -> Saturation:
        seen = self._seen[role, state.address]
        if seen and load.generated < seen[-1][1].generated:
            seen.clear()  # it was started anew
        seen.append((now, load))
        since, before = seen[0]
        looked_for = load.prefix_queries - before.prefix_queries
        return Saturation(
            running=load.running,
            waiting=load.waiting,
            cache=load.cache,
            preempted=load.preempted,
            tokens_per_s=(load.generated - before.generated) / (now - since) if now > since else None,
            prefix_hits=(load.prefix_hits - before.prefix_hits) / looked_for if looked_for > 0 else None,
        )

    def _try(self, action: Callable[[], None]) -> None:
        try:
            with self._lock:
                action()
        except (redis.RedisError, ValueError, OSError) as error:
            if self._told:
                _log.warning("how model servers are is not told: Redis is away (%s)", type(error).__name__)
            self._told = False
        else:
            self._told = True


def roles(teaching: Reporting | None, learning: Reporting | None) -> dict[RoleName, Reporting]:
    """Those that have servers."""
    both = {"teacher": teaching, "student": learning}
    return {cast("RoleName", name): role for name, role in both.items() if role is not None}
