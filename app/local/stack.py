"""The two databases on one folder: started for as long as a command needs them, or joined where they already run."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from app.errors import Conflict
from app.local import existing, folder, leftovers, postgres, valkey
from app.local.folder import Serving
from app.local.sockets import socket_folder
from app.local.supervisor import Service, Supervisor

_JOIN_POLL_S = 0.1


class LocalStack:
    """PostgreSQL and Valkey, as an async context manager that owns `data_dir` and ends them with itself.

    A `database_url` or `redis_url` that is given is used as it is, and no server is started in its place.
    `durable=False` trades safety for speed: for tests. `supervisor` takes further services. Raises Conflict where the
    folder is in use, Unavailable and StorageFull where it or the machine won't do.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str | None = None,
        redis_url: str | None = None,
        durable: bool = True,
    ) -> None:
        self.data_dir = data_dir
        self.database_url = database_url or ""
        self.redis_url = redis_url or ""
        self.supervisor = Supervisor(data_dir)
        self._durable = durable
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> LocalStack:
        async with AsyncExitStack() as exits:
            self.data_dir = folder.prepare(self.data_dir)
            exits.enter_context(folder.owned(self.data_dir))
            await asyncio.to_thread(leftovers.end_all, self.data_dir)
            await self._check_given()
            services = await self._databases(exits)
            self.supervisor = await exits.enter_async_context(Supervisor(self.data_dir))
            await self.supervisor.start(*services)
            self._exit = exits.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._exit.aclose()

    async def _check_given(self) -> None:
        if self.database_url:
            await asyncio.to_thread(existing.check_postgres, self.database_url)
        if self.redis_url:
            await asyncio.to_thread(existing.check_redis, self.redis_url)

    async def _databases(self, exits: AsyncExitStack) -> list[Service]:
        services: list[Service] = []
        if self.database_url and self.redis_url:
            return services
        sockets = socket_folder(self.data_dir)
        exits.callback(shutil.rmtree, sockets, ignore_errors=True)
        if not self.database_url:
            data = self.data_dir / "postgres"
            runs_as = await postgres.identity()
            await postgres.prepare(data, runs_as, durable=self._durable)
            services.append(postgres.service(data, sockets, runs_as, durable=self._durable))
            self.database_url = postgres.url(sockets)
        if not self.redis_url:
            services.append(valkey.service(self.data_dir / "valkey", sockets, durable=self._durable))
            self.redis_url = valkey.url(sockets)
        return services


@asynccontextmanager
async def services(
    data_dir: Path, *, database_url: str | None = None, redis_url: str | None = None
) -> AsyncIterator[Serving]:
    """The databases for one command: those given, those of a stack that runs on `data_dir`, or our own for a while.

    Our own stay up at the end until other commands that joined them are done.
    """
    if database_url and redis_url:
        yield Serving(os.getpid(), database_url, redis_url)
        return
    async with AsyncExitStack() as exits:
        yield await _own_or_joined(exits, data_dir, database_url, redis_url)


async def _own_or_joined(
    exits: AsyncExitStack, data_dir: Path, database_url: str | None, redis_url: str | None
) -> Serving:
    path = folder.prepare(data_dir)
    while True:
        try:
            stack = LocalStack(path, database_url=database_url, redis_url=redis_url)
            await exits.enter_async_context(stack)
        except Conflict:
            guest = AsyncExitStack()
            guest.enter_context(folder.joined(path))
            if host := folder.announced(path):
                exits.push_async_exit(guest)
                return Serving(host.pid, database_url or host.database_url, redis_url or host.redis_url, host.web_url)
            await guest.aclose()  # the owner is on its way up or down
            await asyncio.sleep(_JOIN_POLL_S)
        else:
            own = Serving(os.getpid(), stack.database_url, stack.redis_url)
            await exits.enter_async_context(folder.serving(path, own, await_guests=True))
            return own
