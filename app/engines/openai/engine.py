"""Teachers and students behind an OpenAI-compatible server, all samples of a problem in one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, TypeVar

import aiohttp
from pydantic import BaseModel

from app.domain.ports import AttemptRequest, EngineContext, ProposalRequest
from app.domain.problem import Message, Reply
from app.engines.openai import wire
from app.engines.openai.options import Sampling, StudentOptions, TeacherOptions
from app.engines.openai.refusals import excerpt, refusal
from app.errors import EngineError

T = TypeVar("T")

# A body larger than all its tokens could make it is a server gone wrong, and must not fill our memory.
_BYTES_PER_TOKEN = 64
_BYTES_BESIDE = 1 << 20
_LARGEST_BODY = 256 << 20
_CHUNK = 1 << 16
_CONNECT_S = 10.0
# Most servers close a connection that is idle for 5 s (uvicorn's default): a request sent at that moment would be lost.
_KEEP_ALIVE_S = 4.0
# vLLM derives the seed of sample i as seed + i: seeds of different requests must lie further apart than that. 53 bits
# in all, since JSON numbers lose digits beyond.
_SEED_SPACING = 1 << 11
_SEEDS = 1 << 42


class OpenAIEngine:
    name: ClassVar[str] = "openai"
    title: ClassVar[str] = "OpenAI-compatible server"
    TeacherOptions: ClassVar[type[BaseModel]] = TeacherOptions
    StudentOptions: ClassVar[type[BaseModel]] = StudentOptions

    @asynccontextmanager
    async def teacher(self, options: BaseModel, context: EngineContext) -> AsyncIterator[_Teacher]:  # noqa: ARG002
        async with _server(TeacherOptions.model_validate(options)) as server:
            yield _Teacher(server)

    @asynccontextmanager
    async def student(self, options: BaseModel, context: EngineContext) -> AsyncIterator[_Student]:  # noqa: ARG002
        chosen = StudentOptions.model_validate(options)
        async with _server(chosen) as server:
            yield _Student(server, chosen.prompt == "plain")


class _Teacher:
    def __init__(self, server: _Server) -> None:
        self._server = server

    async def propose(self, request: ProposalRequest) -> Reply:
        body = {"messages": _chat(request.messages)}
        return (await self._server.sample("chat/completions", body, 1, request.brief.rng))[0]


class _Student:
    def __init__(self, server: _Server, plain: bool) -> None:
        self._server = server
        self._plain = plain

    async def attempt(self, request: AttemptRequest) -> list[Reply]:
        if self._plain:
            body: dict[str, object] = {"prompt": request.prompt}
            if request.stop:
                body["stop"] = [request.stop]
            return await self._server.sample("completions", body, request.n, request.rng)
        return await self._server.sample(
            "chat/completions", {"messages": _chat(request.messages)}, request.n, request.rng
        )


def _chat(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


class _Server:
    def __init__(self, http: aiohttp.ClientSession, options: Sampling, key: str) -> None:
        self._http = http
        self._options = options
        self._key = key
        self._places = asyncio.Semaphore(options.concurrency)
        self._most = options.samples_per_request
        fields: dict[str, object] = {
            "model": options.model,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "reasoning_effort": options.reasoning_effort,
            options.max_tokens_field: options.max_tokens,
            **options.extra,
        }
        self._common = {name: value for name, value in fields.items() if value is not None}

    async def sample(self, path: str, prompt: Mapping[str, object], n: int, rng: int) -> list[Reply]:
        """Exactly `n` replies, or EngineError. The same call makes the same requests, seeds included.

        One request asks for all. A server that gives fewer at once is asked for the rest in parts of that size.
        """
        first_seed = (rng % _SEEDS) * _SEED_SPACING
        found: list[Reply] = []
        while len(found) < n:
            most = self._most
            parts = [(start, min(most, n - start)) for start in range(len(found), n, most)]
            answers = await _all(self._request(path, prompt, count, first_seed + start) for start, count in parts)
            for (_, count), answer in zip(parts, answers, strict=True):
                found += answer[:count]
                if len(answer) < count:
                    # What came after the gap would not continue the seeds: it is asked for again.
                    self._most = min(self._most, len(answer))
                    break
        return found

    async def _request(self, path: str, prompt: Mapping[str, object], n: int, seed: int) -> list[Reply]:
        body = await self._post(path, {**prompt, **self._common, "n": n, "seed": seed}, n)
        return wire.replies(body, self._options.answers_as or self._options.model, self._key)

    async def _post(self, path: str, body: Mapping[str, object], n: int) -> bytes:
        """The body of a 200. Raises EngineError for all else; also for a redirect, which would take the key along."""
        url = f"{self._options.endpoint}/{path}"
        try:
            async with self._places, self._http.post(url, json=body, allow_redirects=False) as response:
                content = await _bounded(response, n * self._options.max_tokens)
                if response.status == 200:
                    return content
                raise refusal(response.status, content, key_variable=self._options.api_key_variable, secret=self._key)
        except aiohttp.ConnectionTimeoutError as error:
            raise _unreachable(url, f"no connection within {_CONNECT_S:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise _unreachable(url, error.os_error.strerror or str(error.os_error)) from error
        except TimeoutError as error:
            raise EngineError(
                "stalled",
                f"No whole answer from {url} within {self._options.timeout_s:g} s.",
                retryable=True,
                remedy="Check the server's load; resume the run when it answers, or start one with a longer timeout_s.",
            ) from error
        except aiohttp.ClientError as error:
            raise EngineError(
                "disconnected",
                f"The connection to {url} broke: {excerpt(str(error).encode(), self._key)}",
                retryable=True,
                remedy="See the server's log; resume the run when it answers again.",
            ) from error


def _unreachable(url: str, why: str) -> EngineError:
    return EngineError(
        "unreachable",
        f"{url} can't be reached: {why}.",
        retryable=True,
        remedy="Start the model server and resume; or start a new run with the right base_url.",
    )


async def _all(requests: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Every result, or the first error, with none of the others left under way."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(request) for request in requests]
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
async def _server(options: Sampling) -> AsyncIterator[_Server]:
    key = options.api_key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=options.timeout_s, connect=_CONNECT_S)
    connector = aiohttp.TCPConnector(limit=options.concurrency, keepalive_timeout=_KEEP_ALIVE_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as http:
        yield _Server(http, options, key)
