"""A run of real problems, a server that embeds texts, and ways to have the one embedded by the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.embeddings import lane, service
from app.features.embeddings.schemas import RunEmbeddings, parse
from tests.support import builders
from tests.support.model_server import ModelServer, saying, serve

BATCH = 5
VALID = 28  # variants of the run; it grew all of them by itself


@pytest.fixture(autouse=True)
def quick(database: str, broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "control_s", 0.02)
    monkeypatch.setattr(settings(), "retry_pause_s", 0.01)


@pytest.fixture
def ada() -> Actor:
    with unit_of_work() as session:
        return builders.owner(session)


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=4, attempts=False).id


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serve(saying("")) as running:
        yield running


def ask(actor: Actor, run_id: int, server: ModelServer, **options: object) -> RunEmbeddings:
    chosen = {"base_url": server.url, "model": "small", "texts_per_request": BATCH, **options}
    with unit_of_work() as session:
        config = parse({"embedder": {"engine": "openai", "options": chosen}})
        return service.start(session, actor, run_id, config)


async def drive(actor: Actor, run_id: int) -> RunEmbeddings:
    await asyncio.to_thread(lane.drive, run_id, lambda: False)
    return look(actor, run_id)


def look(actor: Actor, run_id: int) -> RunEmbeddings:
    with unit_of_work() as session:
        return service.embeddings(session, actor, run_id)
