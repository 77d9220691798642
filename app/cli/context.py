"""What commands share: the databases of this folder, and the person that acts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from app import config, db, jobs
from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts.service import ensure_local_owner
from app.local.folder import Serving
from app.local.stack import services
from app.migrate import upgrade

T = TypeVar("T")
Told = Callable[[int], None]


def adopt(serving: Serving) -> None:
    """Points this process and its children at the databases that were started or joined."""
    os.environ["DATABASE_URL"] = serving.database_url
    os.environ["REDIS_URL"] = serving.redis_url
    for cached in (config.settings, db.engine, jobs.sender):
        cached.cache_clear()


@asynccontextmanager
async def databases() -> AsyncIterator[Serving]:
    """Starts the databases of the data folder for this command, or joins those that run; migrated either way."""
    configured = settings()
    async with services(
        configured.data_dir, database_url=configured.database_url, redis_url=configured.redis_url
    ) as serving:
        await asyncio.to_thread(upgrade, serving.database_url)
        adopt(serving)
        yield serving


def with_databases(work: Callable[[Serving, Actor], Awaitable[T]]) -> T:
    """Runs `work` as the local owner."""

    async def run() -> T:
        async with databases() as serving:
            return await work(serving, await asyncio.to_thread(local_owner))

    return asyncio.run(run())


def local_owner() -> Actor:
    with unit_of_work() as session:
        return ensure_local_owner(session)
