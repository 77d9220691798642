"""An OpenAI-compatible server for tests, answering with the procedural engine, and failing on demand.

It sees only prompts and reads the facts back out of them, so that the whole path of a language model is walked.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from app import registry
from app.domain.ports import AttemptRequest, EngineContext, ProposalRequest, Student, Teacher
from app.domain.problem import Message, Reply
from app.isolation import open_sandbox
from tests.support.brief_from_prompt import read_brief, read_view

# What a server can do instead of answering; `replies` below shows each.
FAULTS = (
    "overloaded",  # 503 without Retry-After
    "crash",  # 500
    "disconnect",  # the connection is cut in the middle of the body
    "stall",  # no answer
    "nonsense",  # 200 with something that is no JSON
    "wrong_model",  # another model's name
    "fewer",  # fewer choices than asked
    "cut",  # replies that end in the middle
    "overflow",  # 400: the prompt is longer than the context
    "unauthorised",  # 401
)


@dataclass
class ModelServer:
    """`faults` are met by the next requests, one each; `requests` are the bodies that came."""

    url: str
    teacher: Teacher
    student: Student
    faults: deque[str] = field(default_factory=deque)
    requests: list[dict[str, object]] = field(default_factory=list)
    think: bool = False  # split reasoning off the way vLLM does

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        fault = self.faults.popleft() if self.faults else ""
        if fault == "overloaded":
            return web.Response(status=503, text="the queue is full")
        if fault == "crash":
            return web.Response(status=500, text="EngineDeadError")
        if fault == "unauthorised":
            return web.Response(status=401, text="no such key")
        if fault == "overflow":
            error = {"error": {"message": "This model's maximum context length is 64 tokens", "param": "input_tokens"}}
            return web.json_response(error, status=400)
        if fault == "stall":
            await asyncio.sleep(3600)
        if fault == "nonsense":
            return web.Response(text="<html>It works!</html>", content_type="text/html")
        replies = await self._replies(request.path, body)
        if fault == "fewer":
            replies = replies[: max(1, len(replies) // 2)]
        answer = self._body(body, replies, "another-model" if fault == "wrong_model" else str(body["model"]), fault)
        if fault == "disconnect":
            response = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(json.dumps(answer)[:100].encode())
            request.transport.close()
            return response
        return web.json_response(answer)

    async def _replies(self, path: str, body: dict[str, object]) -> list[Reply]:
        rng, n = int(body["seed"]), int(body["n"])
        if path.endswith("/chat/completions"):
            messages = [Message(m["role"], m["content"]) for m in body["messages"]]
            if messages[0].role == "system":
                brief = read_brief(messages, rng)
                return [await self.teacher.propose(ProposalRequest(brief, tuple(messages)))]
            prompt = messages[-1].content
        else:
            prompt = str(body["prompt"])
        environment, view = read_view(prompt)
        return await self.student.attempt(AttemptRequest(environment, view, (), prompt, n, rng))

    def _body(self, body: dict[str, object], replies: Sequence[Reply], model: str, fault: str) -> dict[str, object]:
        choices = []
        for index, reply in enumerate(replies):
            text = reply.text[: len(reply.text) // 2] if fault == "cut" else reply.text
            choice: dict[str, object] = {"index": index, "finish_reason": "length" if fault == "cut" else "stop"}
            if "prompt" in body:
                choice["text"] = text
            elif self.think:
                choice["message"] = {"role": "assistant", "content": text, "reasoning": "Let me think."}
            else:
                choice["message"] = {"role": "assistant", "content": text}
            choices.append(choice)
        words = sum(len(reply.text.split()) for reply in replies)
        usage = {"prompt_tokens": len(json.dumps(body).split()), "completion_tokens": words}
        return {"id": "x", "object": "chat.completion", "model": model, "choices": choices, "usage": usage}


@asynccontextmanager
async def serve(host: str = "127.0.0.1") -> AsyncIterator[ModelServer]:
    """Serves on a free port for the length of the block."""
    engine = registry.engine("procedural")
    context = EngineContext(open_sandbox)
    async with (
        engine.teacher(engine.TeacherOptions(), context) as teacher,
        engine.student(engine.StudentOptions(), context) as student,
    ):
        server = ModelServer("", teacher, student)
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", server.answer)
        app.router.add_post("/v1/completions", server.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, host, 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        server.url = f"http://{host}:{port}/v1"
        try:
            yield server
        finally:
            await runner.cleanup()
