"""The zygotes of one replica: a request takes a free one, and starts it where its predecessor died or was retired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.errors import SandboxUnavailable
from app.sandboxes.forkserver import layers, protocol, reading
from app.sandboxes.forkserver.process import Response, Zygote

_GROWTH_KB = 32 << 10  # a zygote that has grown by this much forks slowly
_ATTEMPT_MS, _ATTEMPT_MB, _ATTEMPT_ROOM = 5_000, 64, 1 << 16


class Pool:
    """Requests wait for a place in the order of coming; what waits is a coroutine, so the queue is the caller's."""

    def __init__(
        self, size: int, preload: Sequence[str], without: Sequence[str], replica: int, libraries: Sequence[str] = ()
    ) -> None:
        self._replica = replica
        self._preload = preload
        self._libraries = libraries
        self._without = without
        # The last one freed is taken first: its memory is warm. An empty place gets its zygote when it is needed.
        self._free: asyncio.LifoQueue[Zygote | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self._zygotes: set[Zygote] = set()
        self._closed = False

    async def open(self) -> layers.Report:
        """Starts one zygote and tells what stands around it. Raises ZygoteDied and SandboxUnavailable."""
        zygote = await self._take()
        self._give_back(zygote)
        return zygote.report

    async def ask(self, header: bytes, payload: bytes, wall_ms: int) -> Response:
        """Raises ZygoteDied and SandboxUnavailable. May be cancelled at any time."""
        zygote = await self._take()
        return await zygote.request(header, payload, wall_ms)  # it comes back by itself when it has answered

    def close(self) -> None:
        self._closed = True
        for zygote in self._zygotes:
            zygote.kill()
        self._zygotes.clear()

    async def _take(self) -> Zygote:
        zygote = await self._free.get()
        if zygote and zygote.alive:
            return zygote
        try:
            if self._closed:
                raise SandboxUnavailable("The sandbox is closed.")
            return await self._start_one()
        except BaseException:
            self._free.put_nowait(None)
            raise

    async def _start_one(self) -> Zygote:
        zygote = await Zygote.start(
            preload=self._preload, without=self._without, replica=self._replica, libraries=self._libraries
        )
        self._zygotes.add(zygote)
        try:
            await _try_walls(zygote)
        except BaseException:
            zygote.kill()
            self._zygotes.discard(zygote)
            raise
        zygote.freed = self._give_back
        return zygote

    def _give_back(self, zygote: Zygote) -> None:
        if zygote.grown_kb > _GROWTH_KB:
            zygote.kill()
        if not zygote.alive:
            self._zygotes.discard(zygote)
        self._free.put_nowait(zygote if zygote.alive else None)


async def _try_walls(zygote: Zygote) -> None:
    """Lets a child of it try to get out. Raises ZygoteDied, and SandboxUnavailable where it can."""
    header = protocol.REQUEST.pack(protocol.ATTEMPTS, 0, _ATTEMPT_MS, _ATTEMPT_MS, _ATTEMPT_MB, _ATTEMPT_ROOM)
    achieved = reading.escapes(await zygote.request(header, b"", _ATTEMPT_MS))
    if achieved:
        raise SandboxUnavailable(f"The walls of the sandbox do not hold: a program can {', '.join(achieved)}.")
