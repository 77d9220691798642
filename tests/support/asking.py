"""Teachers, students and embedders that ask one server, with options that suit tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from app.domain.difficulty import Band
from app.domain.ports import AttemptRequest, EngineContext, ProposalRequest, Student, Teacher
from app.domain.problem import Message, Reply
from app.domain.tree import Brief, Direction, Step
from app.engines.openai import OpenAIEngine
from app.isolation import open_sandbox
from tests.support.model_server import ModelServer

MESSAGES = (Message("system", "You are a teacher."), Message("user", "Write a problem."))
ATTEMPT = AttemptRequest(
    "deduction", {}, lambda: MESSAGES[1:], lambda: "## Problem\n\nSolve.\n\n", n=4, rng=7, stop="\n## Problem"
)
_CONTEXT = EngineContext(open_sandbox)


def proposal(rng: int = 7) -> ProposalRequest:
    return ProposalRequest(Brief("deduction", "", "snippet", Step(Direction.FIRST, Band(0.35, 0.65)), rng), MESSAGES)


@asynccontextmanager
async def teacher(server: ModelServer | str, **options: object) -> AsyncIterator[Teacher]:
    engine = OpenAIEngine()
    async with engine.teacher(engine.TeacherOptions(**_options(server, options)), _CONTEXT) as opened:
        yield opened


@asynccontextmanager
async def student(server: ModelServer | str, **options: object) -> AsyncIterator[Student]:
    engine = OpenAIEngine()
    async with engine.student(engine.StudentOptions(**_options(server, options)), _CONTEXT) as opened:
        yield opened


async def propose(server: ModelServer | str, rng: int = 7, **options: object) -> Reply:
    async with teacher(server, **options) as opened:
        return await opened.propose(proposal(rng))


async def attempt(server: ModelServer | str, n: int = 4, rng: int = 7, **options: object) -> list[Reply]:
    async with student(server, **options) as opened:
        return await opened.attempt(replace(ATTEMPT, n=n, rng=rng))


async def embed(server: ModelServer | str, texts: Sequence[str], **options: object) -> list[list[float]]:
    engine = OpenAIEngine()
    async with engine.embedder(engine.EmbedderOptions(**_options(server, options)), _CONTEXT) as opened:
        return await opened.embed(texts)


def _options(server: ModelServer | str, options: dict[str, object]) -> dict[str, object]:
    url = server if isinstance(server, str) else server.url
    return {"base_url": url, "model": "a-model"} | options
