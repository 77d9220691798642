"""Teachers, students and embedders behind one OpenAI-compatible address."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

from pydantic import BaseModel

from app.domain.ports import Embedder, EngineContext, Profile, Student, Teacher
from app.engines._openai.profiles import PROFILES
from app.engines._openai.roles import embedder_behind, student_behind, teacher_behind
from app.engines.openai.options import EmbedderOptions, StudentOptions, TeacherOptions


class OpenAIEngine:
    name: ClassVar[str] = "openai"
    title: ClassVar[str] = "OpenAI-compatible server"
    TeacherOptions: ClassVar[type[BaseModel]] = TeacherOptions
    StudentOptions: ClassVar[type[BaseModel]] = StudentOptions
    EmbedderOptions: ClassVar[type[BaseModel]] = EmbedderOptions
    follows_text: ClassVar[bool] = True
    profiles: ClassVar[Mapping[str, Profile]] = PROFILES

    def teacher(self, options: BaseModel, context: EngineContext) -> AbstractAsyncContextManager[Teacher]:  # noqa: ARG002
        return teacher_behind(TeacherOptions.model_validate(options))

    def student(self, options: BaseModel, context: EngineContext) -> AbstractAsyncContextManager[Student]:  # noqa: ARG002
        return student_behind(StudentOptions.model_validate(options))

    def embedder(self, options: BaseModel, context: EngineContext) -> AbstractAsyncContextManager[Embedder]:  # noqa: ARG002
        return embedder_behind(EmbedderOptions.model_validate(options))
