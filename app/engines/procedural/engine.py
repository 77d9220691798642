"""Teacher and student of the procedural engine: what they are asked becomes calls of app.engines._procedural.entry.

Code from seeds is executed on the way, so all of it happens inside a sandbox of the engine's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel

from app.domain.ports import EngineContext, Profile
from app.engines.procedural.calls import Entry
from app.engines.procedural.options import StudentOptions, TeacherOptions
from app.engines.procedural.student import ProceduralStudent
from app.engines.procedural.teacher import ProceduralTeacher


class ProceduralEngine:
    name: ClassVar[str] = "procedural"
    title: ClassVar[str] = "procedural, no language model"
    TeacherOptions: ClassVar[type[BaseModel]] = TeacherOptions
    StudentOptions: ClassVar[type[BaseModel]] = StudentOptions
    follows_text: ClassVar[bool] = False
    profiles: ClassVar[Mapping[str, Profile]] = MappingProxyType({})

    @asynccontextmanager
    async def teacher(self, options: BaseModel, context: EngineContext) -> AsyncIterator[ProceduralTeacher]:
        async with context.open_sandbox(preload=Entry.MODULES) as sandbox:
            yield ProceduralTeacher(Entry(sandbox), TeacherOptions.model_validate(options))

    @asynccontextmanager
    async def student(self, options: BaseModel, context: EngineContext) -> AsyncIterator[ProceduralStudent]:
        async with context.open_sandbox(preload=Entry.MODULES) as sandbox:
            yield ProceduralStudent(Entry(sandbox), StudentOptions.model_validate(options))
