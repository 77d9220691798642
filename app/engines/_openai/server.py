"""One server: requests, their faults, its circuit and its load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp

from app.domain.ports import Load, ServerState
from app.domain.problem import Reply
from app.engines._openai import reach, wire
from app.engines._openai.circuit import Circuit
from app.engines._openai.metrics import read_load
from app.engines._openai.options import Sampling
from app.engines._openai.refusals import excerpt, refusal
from app.errors import EngineError

T = TypeVar("T")

# A body larger than all its tokens could make it is a server gone wrong, and must not fill our memory.
_BYTES_PER_TOKEN = 64
_BYTES_BESIDE = 1 << 20
_LARGEST_BODY = 256 << 20
_CHUNK = 1 << 16
_CONNECT_S = 10.0
_PROBE = aiohttp.ClientTimeout(total=20.0, connect=_CONNECT_S)
_LOOK = aiohttp.ClientTimeout(total=5.0)
# A server without metrics is asked for them again after so long: another may answer there by then.
_LOOK_AGAIN_S = 60.0
# Most servers close a connection that is idle for 5 s (uvicorn's default): a request sent at that moment would be lost.
_KEEP_ALIVE_S = 4.0
# vLLM derives the seed of sample i as seed + i: seeds of different requests must lie further apart than that. 53 bits
# in all, since JSON numbers lose digits beyond.
_SEED_SPACING = 1 << 11
_SEEDS = 1 << 42


class Server:
    def __init__(self, http: aiohttp.ClientSession, url: str, path: str, options: Sampling, key: str) -> None:
        self.url = url
        self.under_way = 0  # samples
        self._http = http
        self._path = path
        self._options = options
        self._key = key
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._root = url.removesuffix("/v1")
        self._places = asyncio.Semaphore(options.concurrency)
        self._most = options.samples_per_request
        self._no_metrics_until = 0.0
        self._load: Load | None = None
        self.circuit = Circuit(url, self._answers)
        fields: dict[str, object] = {
            "model": options.model,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "reasoning_effort": options.reasoning_effort,
            options.max_tokens_field: options.max_tokens,
            **options.extra,
        }
        self._common = {name: value for name, value in fields.items() if value is not None}

    @property
    def away(self) -> bool:
        return self.circuit.is_open

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
        try:
            async with self._http.get(f"{self._root}/metrics", timeout=_LOOK, allow_redirects=False) as response:
                content = await _bounded(response, 0)
                load = read_load(content.decode("utf-8", "replace")) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, EngineError):
            return None  # whether the server is away is for its requests to find out
        if load is None:
            self._no_metrics_until = clock() + _LOOK_AGAIN_S
        return load

    async def _request(self, prompt: Mapping[str, object], n: int, seed: int) -> list[Reply]:
        body = await self._post({**prompt, **self._common, "n": n, "seed": seed}, n)
        return wire.replies(body, self._options.answers_as or self._options.model, self._key)

    async def _post(self, body: Mapping[str, object], n: int) -> bytes:
        """The body of a 200. Raises EngineError for all else; also for a redirect, which would take the key along."""
        url = f"{self.url}/{self._path}"
        await self.circuit.passage()
        try:
            async with (
                self._places,
                self._http.post(url, json=body, headers=self._headers, allow_redirects=False) as response,
            ):
                content = await _bounded(response, n * self._options.max_tokens)
                self.circuit.answered()
                if response.status == 200:
                    return content
                raise refusal(
                    response.status,
                    content,
                    key_variable=self._options.api_key_variable,
                    secret=self._key,
                    retry_after=response.headers.get("Retry-After", ""),
                )
        except aiohttp.ConnectionTimeoutError as error:
            self.circuit.failed()
            raise _unreachable(url, f"no connection within {_CONNECT_S:g} s") from error
        except aiohttp.ClientConnectorError as error:
            self.circuit.failed()
            ours = isinstance(error.os_error, PermissionError)  # see reach.py: asking again changes nothing
            raise _unreachable(url, error.os_error.strerror or str(error.os_error), retryable=not ours) from error
        except TimeoutError as error:
            raise EngineError(
                "stalled",
                f"No whole answer from {url} within {self._options.timeout_s:g} s.",
                retryable=True,
                remedy="Check the server's load; resume the run when it answers, or start one with a longer timeout_s.",
            ) from error
        except aiohttp.ClientError as error:
            self.circuit.failed()
            raise EngineError(
                "disconnected",
                f"The connection to {url} broke: {excerpt(str(error).encode(), self._key)}",
                retryable=True,
                remedy="See the server's log; resume the run when it answers again.",
            ) from error

    async def _answers(self) -> bool:
        """Whether the server is healthy, where it can tell, and makes one token: a paused vLLM is healthy too."""
        prompt = {"prompt": "1"} if self._path == "completions" else {"messages": [{"role": "user", "content": "1"}]}
        body = prompt | self._common | {self._options.max_tokens_field: 1, "n": 1, "seed": 0}
        try:
            async with self._http.get(f"{self._root}/health", timeout=_PROBE, allow_redirects=False) as health:
                if health.status >= 500:
                    return False
            async with self._http.post(
                f"{self.url}/{self._path}", json=body, headers=self._headers, timeout=_PROBE, allow_redirects=False
            ) as reply:
                # Whatever else is wrong with it, a request says better.
                return reply.status < 500 and reply.status not in (408, 429)
        except (aiohttp.ClientError, TimeoutError):
            return False


def first_seed(rng: int) -> int:
    """Of a request's samples; the others follow it."""
    return (rng % _SEEDS) * _SEED_SPACING


def _unreachable(url: str, why: str, *, retryable: bool = True) -> EngineError:
    return EngineError(
        "unreachable",
        f"{url} can't be reached: {why}.",
        retryable=retryable,
        remedy="Start the model server and resume; or start a new run with the right base_url.",
    )


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


async def _bounded(response: aiohttp.ClientResponse, tokens: int) -> bytes:
    most = min(_LARGEST_BODY, _BYTES_BESIDE + _BYTES_PER_TOKEN * tokens)
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > most:
            raise EngineError("nonsense", f"The reply exceeds {most >> 20} MB.", retryable=True)
        chunks.append(chunk)
    return b"".join(chunks)


@asynccontextmanager
async def server(url: str, path: str, options: Sampling) -> AsyncIterator[Server]:
    """`path` is where requests go, below `url`. Raises EngineError for a key that no header can carry."""
    key = options.api_key
    timeout = aiohttp.ClientTimeout(total=options.timeout_s, connect=_CONNECT_S)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, socket_factory=reach.open_socket)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        opened = Server(http, url, path, options, key)
        try:
            yield opened
        finally:
            await opened.circuit.close()
