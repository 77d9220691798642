"""An OpenAI-compatible server for tests, failing on demand.

Whatever answers behind it sees only what came over HTTP. `procedural` reads the facts back out of the prompts and
answers with the procedural engine, so that the whole path of a language model is walked; `saying` repeats one text.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from app import registry
from app.domain.ports import AttemptRequest, EngineContext, ProposalRequest
from app.domain.problem import Message
from app.isolation import open_sandbox
from tests.support.brief_from_prompt import read_brief, read_view
from tests.support.vectors import vector_of

Body = dict[str, Any]
# The texts of all samples of a request. It depends on the request alone, and sample i on `seed` + i, as in vLLM.
Model = Callable[[Body], Awaitable[list[str]]]

# Trouble that passes: asking again gives the answer that would have come at once.
PASSING = ("overloaded", "limited", "crash", "disconnect", "hang_up", "nonsense", "abandoned", "fewer")
# Besides: stall and trickle (no whole answer ever), wrong_model, unauthorised, unknown_model, overflow (of the context)
# and cut (every reply ends in the middle, at its length limit).

_REFUSALS: dict[str, tuple[int, Body]] = {
    "overloaded": (503, {"error": {"message": "the queue is full"}}),
    "limited": (429, {"error": {"message": "too many requests"}}),
    "crash": (500, {"error": {"message": "EngineDeadError"}}),
    "unauthorised": (401, {"error": {"message": "Incorrect API key provided: sk-1***9"}}),
    "unknown_model": (404, {"error": {"message": "The model does not exist.", "param": "model"}}),
    "overflow": (
        400,
        {"error": {"message": "This model's maximum context length is 64 tokens.", "param": "input_tokens"}},
    ),
}


@dataclass
class ModelServer:
    """What it answers with, when it fails, and what it was asked."""

    model: Model
    url: str = ""
    faults: deque[str | web.StreamResponse] = field(default_factory=deque)  # met by the next requests, one each
    failing: str = ""  # met by every request
    spares: Callable[[Body], bool] = lambda _: False  # requests that never fail
    every: int = 0  # every so many different requests meet passing trouble once, one kind after another
    metrics: str = ""  # what /metrics tells; nothing of the kind is there without
    thinking: bool = False  # split reasoning off the way vLLM does
    requests: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    _tried: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body: Body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        fault = self._fault(body)
        if isinstance(fault, web.StreamResponse):
            return fault
        if fault:
            self.met.append(fault)
        if fault in _REFUSALS:
            status, refusal = _REFUSALS[fault]
            return web.json_response(refusal, status=status)
        if fault == "stall":
            await asyncio.sleep(3600)
        if fault == "nonsense":
            return web.Response(text="<html>It works!</html>", content_type="text/html")
        if fault == "hang_up":
            return _cut_off(request, web.StreamResponse())
        answer = _vectors(body, fault) if "input" in body else self._completion(body, await self.model(body), fault)
        if fault == "trickle":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        if fault == "disconnect":
            response = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(json.dumps(answer)[:100].encode())
            return _cut_off(request, response)
        return web.json_response(answer)

    async def tell(self, _: web.Request) -> web.Response:
        return web.Response(text=self.metrics) if self.metrics else web.Response(status=404)

    def _fault(self, body: Body) -> str | web.StreamResponse:
        if self.spares(body):
            return ""
        if self.faults:
            return self.faults.popleft()
        if self.every and self._is_new(body):
            count = len(self._tried)
            return PASSING[count // self.every % len(PASSING)] if count % self.every == 0 else ""
        return self.failing

    def _is_new(self, body: Body) -> bool:
        """A request that is repeated fares well: by counting all, one whose turn always comes would never end."""
        text = json.dumps(body, sort_keys=True)
        new = text not in self._tried
        self._tried.add(text)
        return new

    def _completion(self, body: Body, texts: list[str], fault: str) -> Body:
        if fault == "fewer":
            texts = texts[: max(1, len(texts) // 2)]
        end = {"cut": "length", "abandoned": "abort"}.get(fault, "stop")
        choices: list[Body] = []
        for index, text in enumerate(texts):
            shown = text[: len(text) // 2] if fault == "cut" else text
            choice: Body = {"index": index, "finish_reason": end}
            if "prompt" in body:
                choice["text"] = shown
            else:
                choice["message"] = {"role": "assistant", "content": shown}
                if self.thinking:
                    choice["message"]["reasoning"] = "Let me think."
            choices.append(choice)
        usage = {
            "prompt_tokens": len(json.dumps(body).split()),
            "completion_tokens": sum(len(t.split()) for t in texts),
        }
        name = _name(body, fault)
        return {"id": "x", "object": "chat.completion", "model": name, "choices": choices, "usage": usage}


def _name(body: Body, fault: str) -> str:
    return "another-model" if fault == "wrong_model" else str(body["model"])


def _vectors(body: Body, fault: str) -> Body:
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(text)}
        for index, text in enumerate(body["input"])
    ]
    return {"object": "list", "model": _name(body, fault), "data": data}


def _cut_off(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response


@asynccontextmanager
async def serve(model: Model, *, port: int = 0) -> AsyncIterator[ModelServer]:
    """Serves on `port`, or a free one, for the length of the block."""
    server = ModelServer(model)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", server.answer)
    app.router.add_post("/v1/completions", server.answer)
    app.router.add_post("/v1/embeddings", server.answer)
    app.router.add_get("/metrics", server.tell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()


def is_teachers(body: Body) -> bool:
    """Whether a request asks for a problem rather than for an answer to one."""
    return "messages" in body and body["messages"][0]["role"] == "system"


def saying(text: str) -> Model:
    """A model that always says the same."""

    async def answer(body: Body) -> list[str]:
        return [text] * int(body["n"])

    return answer


@asynccontextmanager
async def procedural() -> AsyncIterator[Model]:
    """The procedural teacher and student behind a server."""
    engine = registry.engine("procedural")
    context = EngineContext(open_sandbox)
    async with (
        engine.teacher(engine.TeacherOptions(), context) as teacher,
        engine.student(engine.StudentOptions(), context) as student,
    ):

        async def answer(body: Body) -> list[str]:
            return list(await asyncio.gather(*(one(body, int(body["seed"]) + i) for i in range(int(body["n"])))))

        async def one(body: Body, seed: int) -> str:
            if is_teachers(body):
                messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
                return (await teacher.propose(ProposalRequest(read_brief(messages, seed), messages))).text
            prompt = str(body["prompt"]) if "prompt" in body else str(body["messages"][-1]["content"])
            environment, view = read_view(prompt)
            return (await student.attempt(AttemptRequest(environment, view, tuple, str, 1, seed)))[0].text

        yield answer
