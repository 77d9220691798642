"""All servers of one model: which of them gets a request, and who takes over where one is away."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from app.domain.ports import Load, ServerState
from app.domain.problem import Reply
from app.engines._openai.options import Sampling
from app.engines._openai.server import Server, server
from app.errors import EngineError

# A server may have this much more under way than the average before its chains go elsewhere.
_UNEVEN = 1.25
_AWAY = frozenset({"unreachable", "disconnected"})


class Fleet:
    def __init__(self, servers: Sequence[Server], ceiling: int) -> None:
        self._servers = servers
        self._known: dict[str, Load] = {}  # what each told last
        self.ceiling = ceiling

    async def sample(self, prompt: Mapping[str, object], n: int, rng: int, key: str) -> list[Reply]:
        """Exactly `n` replies, or EngineError. Requests of one `key` go to one server, as long as that is bearable."""
        candidates = self._ranked(key, n)
        for candidate in candidates[:-1]:
            try:
                return await candidate.sample(prompt, n, rng)
            except EngineError as error:
                if error.kind not in _AWAY:
                    raise
        return await candidates[-1].sample(prompt, n, rng)

    async def load(self) -> Load | None:
        """Of the servers that tell; None where none does. Who is silent for once keeps its place in what is counted."""
        loads = await asyncio.gather(*(one.load() for one in self._servers))
        told = {one.url: load for one, load in zip(self._servers, loads, strict=True) if load is not None}
        if not told:
            return None
        self._known |= told
        now, ever = told.values(), self._known.values()
        return Load(
            running=sum(load.running for load in now),
            waiting=sum(load.waiting for load in now),
            cache=max(load.cache for load in now),
            preempted=sum(load.preempted for load in ever),
            generated=sum(load.generated for load in ever),
            prefix_queries=sum(load.prefix_queries for load in ever),
            prefix_hits=sum(load.prefix_hits for load in ever),
        )

    def states(self) -> list[ServerState]:
        return [one.state for one in self._servers]

    def _ranked(self, key: str, n: int) -> list[Server]:
        """Rendezvous hashing with bounded loads: who comes or goes moves only its own chains."""
        if len(self._servers) == 1:
            return list(self._servers)
        present = [one for one in self._servers if not one.away] or list(self._servers)
        bound = _UNEVEN * (sum(one.under_way for one in present) + n) / len(present)
        hashed = sorted(present, key=lambda one: hashlib.sha256(f"{one.url} {key}".encode()).digest())
        return sorted(hashed, key=lambda one: one.under_way > 0 and one.under_way + n > bound)


@asynccontextmanager
async def fleet(options: Sampling, path: str) -> AsyncIterator[Fleet]:
    """`path` is where requests go, below each base address."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server(url, path, options)) for url in options.endpoints]
        yield Fleet(servers, options.concurrency)
