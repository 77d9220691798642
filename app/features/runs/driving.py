"""Driving a request of its own kind, beside runs: one lane at a time holds it by a lease, for a slice of time.

A lane holds nothing that the database does not, and may be killed at any moment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from app.config import settings
from app.db import Session
from app.errors import AppError, LeaseLost, StorageFull, Unavailable
from app.features.runs import waiting
from app.features.runs.asking import StageFailed
from app.features.runs.flow.limiter import Stopped
from app.features.runs.ledger import Ledger

_log = logging.getLogger(__name__)

# How soon a lane notices that its request was paused, cancelled or asked for anew.
_NOTICE_S = 1.0
# How long a step under way may still take when the process is asked to end.
_GRACE_S = 3.0

C = TypeVar("C")


class Leases(Protocol[C]):
    """The part of a feature's ledger that says who drives a request."""

    def claim(self, session: Session, request_id: int, owner: str, /) -> C | None: ...

    def renew(self, session: Session, claim: C, /) -> None:
        """Raises LeaseLost."""
        ...

    def release(self, session: Session, claim: C, /) -> None: ...

    def pause(self, session: Session, claim: C, error: str, /) -> None: ...


class RequestLane(ABC, Generic[C]):
    """One lane; `name` is what its log calls the request."""

    def __init__(self, name: str, request_id: int, leases: Leases[C], should_stop: Callable[[], bool]) -> None:
        self.name = name
        self.settings = settings()
        self.ledger = Ledger(patience_s=self.settings.lease_s)
        self.stopping = asyncio.Event()  # once it is set nothing more begins; steps under way come to their end
        self._request_id = request_id
        self._leases = leases
        self._should_stop = should_stop

    @abstractmethod
    async def work(self, claim: C) -> None:
        """Until nothing is left, or `stopping`. Trouble that it raises pauses the request; what is committed stays."""

    def drive(self) -> bool:
        """Works until nothing is left, the slice is over and somebody waits, or the process is asked to end.

        Returns whether another lane should follow. A message for a request that is driven, or over, returns at once.
        """
        return asyncio.run(self._drive())

    async def _drive(self) -> bool:
        try:
            owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
            claim = await self.ledger.write(self._leases.claim, self._request_id, owner)
            if claim is None:
                return False
            try:
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(self._watch(claim))
                    await self.work(claim)
                    watching.cancel()
            except* Stopped:
                _log.info("%s: this lane was asked to end", self.name)
            except* LeaseLost as lost:
                _log.info("%s", _first(lost))
            except* (Unavailable, StorageFull):
                # Nothing can be written down now; the reconciler sends another lane when that is over.
                _log.exception("%s: this lane ends", self.name)
            except* (StageFailed, AppError) as trouble:
                await self._pause(claim, str(_first(trouble)))
            except* Exception as failed:
                error = _first(failed)
                await self._pause(claim, f"{type(error).__name__}: {error}")
                raise
            finally:
                await self._leave(claim)
            return self.stopping.is_set() and not self._should_stop()
        finally:
            await self.ledger.close()

    async def _leave(self, claim: C) -> None:
        try:
            await self.ledger.write(self._leases.release, claim)
        except (Unavailable, StorageFull):
            _log.warning("%s: its lease could not be given back, and runs out", self.name)

    async def _pause(self, claim: C, error: str) -> None:
        _log.error("%s pauses: %s", self.name, error)
        with suppress(Unavailable, StorageFull):
            await self.ledger.write(self._leases.pause, claim, error)

    async def _watch(self, claim: C) -> None:
        """Keeps the lease. Raises LeaseLost once it is gone, Stopped when the process must end."""
        clock = asyncio.get_running_loop().time
        slice_end = clock() + self.settings.lane_slice_s
        next_beat = clock()
        while True:
            if clock() >= next_beat:
                next_beat = clock() + min(_NOTICE_S, self.settings.heartbeat_s)
                await self.ledger.write(self._leases.renew, claim)
            if self._should_stop():
                self.stopping.set()
                await asyncio.sleep(_GRACE_S)
                raise Stopped
            if clock() > slice_end and await self.ledger.write(waiting.others, None):
                self.stopping.set()
            await asyncio.sleep(self.settings.control_s)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
