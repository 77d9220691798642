"""Redis and PostgreSQL killed, emptied and restarted at random moments: nothing is lost, and no result changes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
import redis

from app import config, db, events, jobs
from app.config import settings
from app.local import launch, postgres, valkey
from app.local.supervisor import Service
from app.migrate import upgrade
from tests.faults.storms import storm, worker
from tests.support import refining

REDIS_FAULTS = int(os.environ.get("FAULT_REDIS", "5"))
RESTARTS = int(os.environ.get("FAULT_POSTGRES", "5"))
GROWING = {"environments": ["deduction", "abduction", "fuzzing", "induction"], "turns": 6, "attempts": 16}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]


class Server:
    """A database of ours outside its supervisor, which would take its end as a reason to stop everything."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        service = self._service
        command = [*launch.prefix(service.orphaned, service.identity), *map(str, service.command)]
        self._process = subprocess.Popen(
            command,
            env=dict(service.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        refining.wait_until(lambda: asyncio.run(self._answers()), f"{service.name} to answer")

    def stop(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
            self._process.wait()

    async def _answers(self) -> bool:
        return await self._service.ready()


class Servers:
    def __init__(self, folder: Path, sockets: Path) -> None:
        runs_as = asyncio.run(postgres.identity())
        asyncio.run(postgres.prepare(folder / "postgres", runs_as))
        self.database = Server(postgres.service(folder / "postgres", sockets, runs_as))
        self.broker = Server(valkey.service(folder / "valkey", sockets, durable=False))
        self._pid_file = folder / "postgres" / "postmaster.pid"
        self.variables = {
            "DATABASE_URL": postgres.url(sockets),
            "REDIS_URL": valkey.url(sockets),
            "CAIRN_DATA_DIR": str(folder),
        }

    def restart_database(self) -> None:
        """As after a loss of power: connections are cut, and the log is replayed."""
        self.database.stop(signal.SIGQUIT)
        self._pid_file.unlink(missing_ok=True)
        self.database.start()


def _forget() -> None:
    for cached in (config.settings, db.engine, jobs.sender, events.client):
        cached.cache_clear()


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="cairn-") as sockets:
        os.chmod(sockets, 0o755)  # noqa: S103 - PostgreSQL may run as another user
        made = Servers(tmp_path, Path(sockets))
        made.database.start()
        made.broker.start()
        for name, value in made.variables.items():
            monkeypatch.setenv(name, value)
        _forget()
        upgrade(made.variables["DATABASE_URL"])
        monkeypatch.setattr(settings(), "worker_processes", 2)
        try:
            yield made
        finally:
            db.engine().dispose()
            made.broker.stop(signal.SIGKILL)
            made.database.stop(signal.SIGINT)
    monkeypatch.undo()
    _forget()


def test_redis_killed_and_emptied(servers: Servers, tmp_path: Path) -> None:
    moments = Random(REDIS_FAULTS)

    def kill() -> None:
        servers.broker.stop(signal.SIGKILL)
        servers.broker.start()

    def kill_twice() -> None:
        """Perhaps while a worker is taking up its connection again."""
        kill()
        time.sleep(moments.uniform(0, 3))
        kill()

    def empty() -> None:
        redis.Redis.from_url(events.redis_url()).flushall()

    def fault() -> None:
        moments.choice([kill, kill_twice, empty])()

    with worker(servers.variables, tmp_path) as at_work:
        storm(at_work, REDIS_FAULTS, fault, **GROWING)


def test_postgres_restarted(servers: Servers, tmp_path: Path) -> None:
    with worker(servers.variables, tmp_path) as at_work:
        storm(at_work, RESTARTS, servers.restart_database, **GROWING)
