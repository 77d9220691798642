"""One server of a model that is sampled, and its load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from app.domain.ports import Load, ServerState
from app.domain.problem import Reply
from app.engines._openai import client, wire
from app.engines._openai.client import Client
from app.engines._openai.endpoint import Endpoint
from app.engines._openai.metrics import read_load
from app.engines._openai.options import Sampling

T = TypeVar("T")

_BYTES_PER_TOKEN = 64  # of a body, at most
_LOOK_S = 5.0
# A server without metrics is asked for them again after so long: another may answer there by then.
_LOOK_AGAIN_S = 60.0
# vLLM derives the seed of sample i as seed + i: seeds of different requests must lie further apart than that. 53 bits
# in all, since JSON numbers lose digits beyond.
_SEED_SPACING = 1 << 11
_SEEDS = 1 << 42


class Server:
    def __init__(self, opened: Client, url: str, path: str, options: Sampling) -> None:
        self.url = url
        self.under_way = 0  # samples
        self._options = options
        self._most = options.samples_per_request
        self._no_metrics_until = 0.0
        self._load: Load | None = None
        fields: dict[str, object] = {
            "model": options.model,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "reasoning_effort": options.reasoning_effort,
            options.max_tokens_field: options.max_tokens,
            **options.extra,
        }
        self._common = {name: value for name, value in fields.items() if value is not None}
        prompt = {"prompt": "1"} if path == "completions" else {"messages": [{"role": "user", "content": "1"}]}
        token = prompt | self._common | {options.max_tokens_field: 1, "n": 1, "seed": 0}
        self._endpoint = Endpoint(opened, url, path, options, places=options.concurrency, probe=token)

    @property
    def away(self) -> bool:
        return self._endpoint.circuit.is_open

    @property
    def state(self) -> ServerState:
        return ServerState(self.url, self._options.model, self.away, self.under_way, self._load)

    async def sample(self, prompt: Mapping[str, object], n: int, rng: int) -> list[Reply]:
        """Exactly `n` replies, or EngineError. The same call makes the same requests, seeds included.

        One request asks for all. A server that gives fewer at once is asked for the rest in parts of that size.
        """
        first = first_seed(rng)
        found: list[Reply] = []
        self.under_way += n
        try:
            while len(found) < n:
                most = self._most
                parts = [(start, min(most, n - start)) for start in range(len(found), n, most)]
                answers = await _all([self._request(prompt, count, first + start) for start, count in parts])
                for (_, count), answer in zip(parts, answers, strict=True):
                    found += answer[:count]
                    if len(answer) < count:
                        # What came after the gap would not continue the seeds: it is asked for again.
                        self._most = min(self._most, len(answer))
                        break
        finally:
            self.under_way -= n
        return found

    async def load(self) -> Load | None:
        self._load = await self._look()
        return self._load

    async def _look(self) -> Load | None:
        clock = asyncio.get_running_loop().time
        if self.away or clock() < self._no_metrics_until:
            return None
        told = await self._endpoint.look("metrics", _LOOK_S)
        if told is None:
            return None  # whether the server is away is for its requests to find out
        load = read_load(told.body.decode("utf-8", "replace")) if told.status == 200 else None
        if load is None:
            self._no_metrics_until = clock() + _LOOK_AGAIN_S
        return load

    async def _request(self, prompt: Mapping[str, object], n: int, seed: int) -> list[Reply]:
        most = n * self._options.max_tokens * _BYTES_PER_TOKEN
        body = await self._endpoint.post({**prompt, **self._common, "n": n, "seed": seed}, most)
        return wire.replies(body, self._options.signed, self._endpoint.key)

    async def close(self) -> None:
        await self._endpoint.circuit.close()


def first_seed(rng: int) -> int:
    """Of a request's samples; the others follow it."""
    return (rng % _SEEDS) * _SEED_SPACING


async def _all(requests: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Every result, or the first error, with none of the others left under way."""
    first, *others = requests
    if not others:
        return [await first]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(request) for request in (first, *others)]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


@asynccontextmanager
async def server(url: str, path: str, options: Sampling) -> AsyncIterator[Server]:
    """`path` is where requests go, below `url`. Raises EngineError for a key that no header can carry."""
    async with client.opened(url, options.timeout_s) as opened:
        asked = Server(opened, url, path, options)
        try:
            yield asked
        finally:
            await asked.close()
