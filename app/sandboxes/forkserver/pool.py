"""The zygotes of one replica: a request takes a free one, and starts it where its predecessor died or was retired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.errors import SandboxUnavailable
from app.sandboxes.forkserver import layers, protocol, reading
from app.sandboxes.forkserver.process import Response, Zygote, ZygoteDied

_GROWTH_KB = 32 << 10  # a zygote that has grown by this much forks slowly
_ATTEMPT_MS = 5_000


class Pool:
    """Requests wait for a place in the order of coming; what waits is a coroutine, so the queue is the caller's."""

    def __init__(self, size: int, preload: Sequence[str], without: Sequence[str], replica: int) -> None:
        self._replica = replica
        self._preload = preload
        self._without = without
        # The last one freed is taken first: its memory is warm. An empty place gets its zygote when it is needed.
        self._free: asyncio.LifoQueue[Zygote | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self._zygotes: set[Zygote] = set()

    async def open(self) -> layers.Report:
        """Starts one zygote and tells what stands around it. Raises SandboxUnavailable."""
        zygote = await self._take()
        self._give_back(zygote)
        return zygote.report

    async def ask(self, header: bytes, payload: bytes, wall_ms: int) -> Response:
        """Raises ZygoteDied, and SandboxUnavailable where none starts. May be cancelled at any time."""
        zygote = await self._take()
        return await zygote.request(header, payload, wall_ms)  # it comes back by itself when it has answered

    def close(self) -> None:
        for zygote in self._zygotes:
            zygote.kill()
        self._zygotes.clear()

    async def _take(self) -> Zygote:
        zygote = await self._free.get()
        if zygote and zygote.alive:
            return zygote
        try:
            return await self._start_one()
        except BaseException:
            self._free.put_nowait(None)
            raise

    async def _start_one(self) -> Zygote:
        zygote = await Zygote.start(preload=self._preload, without=self._without, replica=self._replica)
        self._zygotes.add(zygote)
        header = protocol.REQUEST.pack(protocol.ATTEMPTS, 0, _ATTEMPT_MS, _ATTEMPT_MS, 64, 1 << 16)
        try:
            achieved = reading.escapes(await zygote.request(header, b"", _ATTEMPT_MS))
        except (ZygoteDied, reading.Unexplained) as error:
            zygote.kill()
            raise SandboxUnavailable(f"The walls of the sandbox could not be tried: {error}.") from error
        if achieved:
            zygote.kill()
            raise SandboxUnavailable(
                f"The walls of the sandbox do not hold: from inside one can {', '.join(achieved)}."
            )
        zygote.freed = self._give_back
        return zygote

    def _give_back(self, zygote: Zygote) -> None:
        if zygote.grown_kb > _GROWTH_KB:
            zygote.kill()
        if not zygote.alive:
            self._zygotes.discard(zygote)
        self._free.put_nowait(zygote if zygote.alive else None)
