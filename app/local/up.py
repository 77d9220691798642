"""`cairn up`: everything on one machine, from the databases to the web, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from app.config import Settings
from app.local import folder, services
from app.local.folder import Serving
from app.local.ports import free_port
from app.local.signals import ended_by_signal
from app.local.stack import LocalStack
from app.migrate import upgrade

Say = Callable[[str], None]


async def up(config: Settings, on_ready: Callable[[Serving], Awaitable[None]], *, say: Say = print) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP; a second signal kills what has not ended by then.

    `on_ready` is called once all services answer. Raises Unavailable, with the end of its log, when a service dies that
    is not started anew; Conflict when Cairn already runs on the same folder.
    """
    stack = LocalStack(config.data_dir, database_url=config.database_url, redis_url=config.redis_url)
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("up() runs as a task")
    with ended_by_signal(task, lambda: stack.supervisor.kill(), say):
        async with stack:
            await stack.supervisor.guard(_serve(stack, config, on_ready, say))


async def _serve(stack: LocalStack, config: Settings, on_ready: Callable[[Serving], Awaitable[None]], say: Say) -> None:
    await asyncio.to_thread(upgrade, stack.database_url)
    port = free_port(config.port, config.host)
    if port != config.port:
        say(f"Port {config.port} is taken: using {port}.")
    note = Serving(os.getpid(), stack.database_url, stack.redis_url, config.public_url or _address(config.host, port))
    environment = services.environment(stack.database_url, stack.redis_url, stack.data_dir)
    await stack.supervisor.start(
        services.worker(environment, config.worker_processes), services.web(environment, config.host, port)
    )
    await stack.supervisor.start(services.beat(environment, stack.data_dir / "beat"))  # nobody waits for it
    async with folder.serving(stack.data_dir, note, await_guests=False):
        await on_ready(note)
        await asyncio.Event().wait()


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds the server; a wildcard address is none to visit."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (nothing is bound here)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
