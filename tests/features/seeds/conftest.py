"""Somebody who imports, and what an import left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.seeds import service
from app.features.seeds.schemas import ImportOptions, ImportReport
from app.models import Seed, SeedSet
from tests.support import builders

Import = Callable[..., ImportReport]


@pytest.fixture
def ada(database: str) -> Actor:
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


@pytest.fixture
def bring(ada: Actor) -> Import:
    """Imports a path as `cairn seeds import` does; keywords are options."""

    def bring(path: Path, name: str = "", **options: object) -> ImportReport:
        with unit_of_work() as session:
            return service.import_path(session, ada, path, name, ImportOptions.model_validate(options))

    return bring


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes a JSONL file; strings and bytes go in as they are."""

    def write(*lines: object, name: str = "seeds.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join(_line(line) + b"\n" for line in lines))
        return path

    return write


def _line(line: object) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()


@pytest.fixture
def kept(database: str) -> Callable[[], list[Seed]]:
    """Every seed there is, in the order of its set."""

    def kept() -> list[Seed]:
        with unit_of_work() as session:
            return list(session.execute(select(Seed).order_by(Seed.seed_set_id, Seed.position)).scalars())

    return kept


@pytest.fixture
def nothing_is_left(database: str) -> Callable[[], bool]:
    def nothing_is_left() -> bool:
        with unit_of_work() as session:
            return not any(
                session.execute(select(func.count()).select_from(table)).scalar_one() for table in (Seed, SeedSet)
            )

    return nothing_is_left
