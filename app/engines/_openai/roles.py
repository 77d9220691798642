"""Teachers and students behind servers, all samples of a problem in one request; and embedders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from app.domain.ports import AttemptRequest, Load, ProposalRequest, ServerState, Turns
from app.domain.problem import Message, Reply
from app.engines._openai import client, wire
from app.engines._openai.endpoint import Endpoint
from app.engines._openai.fleet import Fleet, fleet
from app.engines._openai.options import Answering, Embedding, Sampling

_BYTES_PER_VECTOR = 1 << 20  # of a body, at most
_AT_ONCE = 8  # requests for embeddings: of 32 texts each they are as many as vLLM takes at once by default


@asynccontextmanager
async def teacher_behind(options: Sampling) -> AsyncIterator[ServedTeacher]:
    async with fleet(options, "chat/completions") as servers:
        yield ServedTeacher(servers)


@asynccontextmanager
async def student_behind(options: Answering) -> AsyncIterator[ServedStudent]:
    plain = options.prompt == "plain"
    async with fleet(options, "completions" if plain else "chat/completions") as servers:
        yield ServedStudent(servers, plain)


@asynccontextmanager
async def embedder_behind(options: Embedding) -> AsyncIterator[ServedEmbedder]:
    """Behind the first of the addresses."""
    probe = {"model": options.model, "input": ["1"]}
    url = options.endpoints[0]
    async with client.opened(url, options.timeout_s) as opened:
        endpoint = Endpoint(opened, url, "embeddings", options, places=_AT_ONCE, probe=probe)
        try:
            yield ServedEmbedder(endpoint, options)
        finally:
            await endpoint.circuit.close()


class _Served:
    def __init__(self, servers: Fleet) -> None:
        self._servers = servers
        self.turns: Turns | None = None

    @property
    def ceiling(self) -> int:
        return self._servers.ceiling

    async def load(self) -> Load | None:
        return await self._servers.load()

    def servers(self) -> list[ServerState]:
        return self._servers.states()


class ServedTeacher(_Served):
    async def propose(self, request: ProposalRequest) -> Reply:
        # A chain's turns share their history: they go to one server, whose prefix cache holds it.
        chain = f"{request.brief.environment}/{request.brief.seed_text}"
        return (await self._servers.sample({"messages": _chat(request.messages)}, 1, request.brief.rng, chain))[0]


class ServedStudent(_Served):
    def __init__(self, servers: Fleet, plain: bool) -> None:
        super().__init__(servers)
        self._plain = plain

    async def attempt(self, request: AttemptRequest) -> list[Reply]:
        if self._plain:
            body: dict[str, object] = {"prompt": request.plain()}
            if request.stop:
                body["stop"] = [request.stop]
        else:
            body = {"messages": _chat(request.chat())}
        return await self._servers.sample(body, request.n, request.rng, str(request.rng))


class ServedEmbedder:
    def __init__(self, endpoint: Endpoint, options: Embedding) -> None:
        self._endpoint = endpoint
        self._options = options

    @property
    def most(self) -> int:
        return self._options.texts_per_request

    @property
    def at_once(self) -> int:
        return _AT_ONCE

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        request = {"model": self._options.model, "input": list(texts)}
        body = await self._endpoint.post(request, len(texts) * _BYTES_PER_VECTOR)
        return wire.vectors(body, len(texts), self._options.signed, self._endpoint.key)


def _chat(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]
