"""The application's own processes, as the supervisor runs them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from celery import Celery

from app.local.supervisor import Service

_CELERY = (sys.executable, "-m", "celery", "-A", "workers.celery_app")


def environment(database_url: str, redis_url: str, data_dir: Path) -> dict[str, str]:
    """This process's own, pointed at the given databases and folder."""
    return os.environ | {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "CAIRN_DATA_DIR": str(data_dir)}


def worker(variables: Mapping[str, str], processes: int) -> Service:
    name = f"cairn-{uuid4().hex[:8]}@{socket.gethostname()}"
    broker = Celery(broker=variables["REDIS_URL"], set_as_current=False)

    async def answers() -> bool:
        """To Celery's own ping, which a worker hears once it takes tasks."""
        return bool(await asyncio.to_thread(broker.control.ping, destination=[name], timeout=0.2, limit=1))

    return Service(
        "worker",
        [
            *(*_CELERY, "worker", "--hostname", name, "--concurrency", str(processes), "--loglevel", "INFO"),
            *("--prefetch-multiplier", "1", "-O", "fair", "--without-gossip", "--without-mingle"),
        ],
        environment=variables,
        ready=answers,
        grace_s=6.0,  # lanes let what is under way end for some seconds, and give the rest back
        restarts=True,  # nothing is lost with it, and it ends itself where it can't get on with its broker
    )


def beat(variables: Mapping[str, str], schedule: Path) -> Service:
    command = (*_CELERY, "beat", "--loglevel", "INFO", "--schedule", str(schedule), "--pidfile=")
    return Service("beat", command, environment=variables)


def web(variables: Mapping[str, str], host: str, port: int) -> Service:
    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    return Service(
        "web",
        [
            *(sys.executable, "-m", "uvicorn", "app.main:app", "--http", "h11", "--host", host, "--port", str(port)),
            *("--timeout-graceful-shutdown", "2", "--no-server-header"),
        ],
        environment=variables,
        ready=answers,
    )
