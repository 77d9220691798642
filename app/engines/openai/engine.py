"""Teachers and students behind an OpenAI-compatible server, all samples of a problem in one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import aiohttp
from pydantic import BaseModel

from app.domain.ports import AttemptRequest, EngineContext, ProposalRequest
from app.domain.problem import Message, Reply
from app.engines.openai import wire
from app.engines.openai.options import Sampling, StudentOptions, TeacherOptions
from app.errors import EngineError

# A reply larger than this is a server gone wrong: 1,024 samples of 8,192 tokens stay well below.
_LARGEST_BODY = 256 << 20
_CHUNK = 1 << 16
# Some servers derive the seed of sample i as seed + i: seeds of different requests must lie further apart than that.
_SEED_SPACING = 1 << 11


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
    def __init__(self, http: aiohttp.ClientSession, options: Sampling) -> None:
        self._http = http
        self._options = options
        self._places = asyncio.Semaphore(options.concurrency)

    async def sample(self, path: str, prompt: Mapping[str, object], n: int, rng: int) -> list[Reply]:
        """Exactly `n` replies, or EngineError. Servers that give fewer choices than asked are asked again."""
        options = self._options
        common: dict[str, object] = {
            **prompt,
            "model": options.model,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "max_tokens": options.max_tokens,
        }
        if options.reasoning_effort:
            common["reasoning_effort"] = options.reasoning_effort
        first_seed = (rng % 2**51) * _SEED_SPACING
        found: list[Reply] = []
        while len(found) < n:
            request = common | {"n": n - len(found), "seed": first_seed + len(found)}
            found += wire.replies(await self._post(path, request), options.model)
        return found[:n]

    async def _post(self, path: str, body: Mapping[str, object]) -> bytes:
        """The body of a 200. Raises EngineError for all else; also for a redirect, which would take the key along."""
        url = f"{self._options.endpoint}/{path}"
        try:
            async with self._places, self._http.post(url, json=body, allow_redirects=False) as response:
                content = await _bounded(response)
                if response.status != 200:
                    raise wire.refusal(response.status, content)
                return content
        except TimeoutError as error:
            raise EngineError(
                "stalled", f"No answer from {url} within {self._options.timeout_s:g} s.", retryable=True
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise EngineError(
                "unreachable",
                f"{url} can't be reached: {error.os_error.strerror or error.os_error}.",
                retryable=True,
                remedy="Start the model server, or correct base_url; then resume the run.",
            ) from error
        except aiohttp.ClientError as error:
            raise EngineError("disconnected", f"The connection to {url} broke: {error}.", retryable=True) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > _LARGEST_BODY:
            raise EngineError("nonsense", f"The reply exceeds {_LARGEST_BODY >> 20} MB.", retryable=True)
        chunks.append(chunk)
    return b"".join(chunks)


@asynccontextmanager
async def _server(options: Sampling) -> AsyncIterator[_Server]:
    headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}
    timeout = aiohttp.ClientTimeout(total=options.timeout_s, connect=10)
    connector = aiohttp.TCPConnector(limit=options.concurrency, keepalive_timeout=60)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as http:
        yield _Server(http, options)
