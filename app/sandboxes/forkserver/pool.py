"""The zygotes of one replica: a request takes a free place, whose zygote starts where there is none, or none any more.

A place has a zygote of each kind of modules.py, and serves one request at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.errors import SandboxUnavailable
from app.sandboxes.forkserver import layers, protocol, reading
from app.sandboxes.forkserver.process import Response, Zygote

_GROWTH_KB = 32 << 10  # a zygote that has grown by this much forks slowly
_Place = dict[bool, Zygote]  # by whether it is wide
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
        # The last one freed is taken first: its memory is warm. A place gets its zygotes when they are needed.
        self._free: asyncio.LifoQueue[_Place] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait({})
        self._zygotes: set[Zygote] = set()
        self._closed = False

    async def open(self) -> layers.Report:
        """Starts one zygote and tells what stands around it. Raises ZygoteDied and SandboxUnavailable."""
        place = await self._free.get()
        try:
            return (await self._zygote(place, wide=False)).report
        finally:
            self._free.put_nowait(place)

    async def ask(self, header: bytes, payload: bytes, wall_ms: int, *, wide: bool) -> Response:
        """Raises ZygoteDied and SandboxUnavailable. May be cancelled at any time."""
        place = await self._free.get()
        try:
            zygote = await self._zygote(place, wide=wide)
        except BaseException:
            self._free.put_nowait(place)
            raise
        return await zygote.request(header, payload, wall_ms)  # the place comes back by itself with the answer

    def close(self) -> None:
        self._closed = True
        for zygote in self._zygotes:
            zygote.kill()
        self._zygotes.clear()

    async def _zygote(self, place: _Place, *, wide: bool) -> Zygote:
        zygote = place.get(wide)
        if zygote and zygote.alive:
            return zygote
        if self._closed:
            raise SandboxUnavailable("The sandbox is closed.")
        if zygote:
            self._zygotes.discard(zygote)
        place[wide] = zygote = await self._start_one(wide=wide)
        zygote.freed = lambda zygote: self._give_back(zygote, place)
        return zygote

    async def _start_one(self, *, wide: bool) -> Zygote:
        zygote = await Zygote.start(
            preload=self._preload,
            without=self._without,
            replica=self._replica,
            wide=wide,
            libraries=self._libraries,
        )
        self._zygotes.add(zygote)
        try:
            await _try_walls(zygote)
        except BaseException:
            zygote.kill()
            self._zygotes.discard(zygote)
            raise
        return zygote

    def _give_back(self, zygote: Zygote, place: _Place) -> None:
        if zygote.grown_kb > _GROWTH_KB:
            zygote.kill()
        self._free.put_nowait(place)


async def _try_walls(zygote: Zygote) -> None:
    """Lets a child of it try to get out. Raises ZygoteDied, and SandboxUnavailable where it can."""
    header = protocol.REQUEST.pack(protocol.ATTEMPTS, 0, _ATTEMPT_MS, _ATTEMPT_MS, _ATTEMPT_MB, _ATTEMPT_ROOM)
    achieved = reading.escapes(await zygote.request(header, b"", _ATTEMPT_MS))
    if achieved:
        raise SandboxUnavailable(f"The walls of the sandbox do not hold: a program can {', '.join(achieved)}.")
