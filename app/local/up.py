"""`cairn up`: everything on one machine, from the databases to the web, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from app.config import Settings
from app.local import folder, services
from app.local.folder import Serving
from app.local.ports import free_port
from app.local.stack import LocalStack
from app.migrate import upgrade

Say = Callable[[str], None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def up(config: Settings, on_ready: Callable[[Serving], Awaitable[None]], *, say: Say = print) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP; a second signal kills what has not ended by then.

    `on_ready` is called once all services answer. Raises Unavailable, with the end of its log, when a service dies;
    Conflict when Cairn already runs on the same folder.
    """
    stack = LocalStack(config.data_dir, database_url=config.database_url, redis_url=config.redis_url)
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("up() runs as a task")
    with _ended_by_signal(task, stack, say):
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


@contextmanager
def _ended_by_signal(task: asyncio.Task[None], stack: LocalStack, say: Say) -> Iterator[None]:
    """The first signal cancels the block, so that all ends in order; the next ones kill what is still there."""
    loop = asyncio.get_running_loop()
    received = 0

    def receive() -> None:
        nonlocal received
        received += 1
        if received == 1:
            say("Stopping.")
            task.cancel()
        else:
            stack.supervisor.kill()

    for number in _SIGNALS:
        loop.add_signal_handler(number, receive)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise
        task.uncancel()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
