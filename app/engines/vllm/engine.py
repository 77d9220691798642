"""Teachers and students behind vLLM servers: each chain stays with one of them, and another takes over for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar

from pydantic import BaseModel, HttpUrl

from app.domain.ports import EngineContext, Profile, Student, Teacher
from app.engines._openai.profiles import PROFILES
from app.engines._openai.roles import student_behind, teacher_behind
from app.engines.vllm.options import StudentOptions, TeacherOptions
from app.engines.vllm.turns import ServedTurns, turns_at


class VLLMEngine:
    name: ClassVar[str] = "vllm"
    title: ClassVar[str] = "vLLM servers"
    TeacherOptions: ClassVar[type[BaseModel]] = TeacherOptions
    StudentOptions: ClassVar[type[BaseModel]] = StudentOptions
    follows_text: ClassVar[bool] = True
    profiles: ClassVar[Mapping[str, Profile]] = PROFILES

    @asynccontextmanager
    async def teacher(self, options: BaseModel, context: EngineContext) -> AsyncIterator[Teacher]:  # noqa: ARG002
        checked = TeacherOptions.model_validate(options)
        async with teacher_behind(checked) as teacher, _turns(checked.turns_url) as teacher.turns:
            yield teacher

    @asynccontextmanager
    async def student(self, options: BaseModel, context: EngineContext) -> AsyncIterator[Student]:  # noqa: ARG002
        checked = StudentOptions.model_validate(options)
        async with student_behind(checked) as student, _turns(checked.turns_url) as student.turns:
            yield student


def _turns(url: HttpUrl | None) -> AbstractAsyncContextManager[ServedTurns | None]:
    return turns_at(str(url)) if url else nullcontext()
