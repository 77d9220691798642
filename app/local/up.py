"""`cairn up`: everything on one machine, from the databases to the web, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from app.config import Settings
from app.local import folder
from app.local.folder import Serving
from app.local.ports import free_port
from app.local.stack import LocalStack
from app.local.supervisor import Service
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
    shown = f"[{config.host}]" if ":" in config.host else config.host
    note = Serving(os.getpid(), stack.database_url, stack.redis_url, config.public_url or f"http://{shown}:{port}")
    await stack.supervisor.start(*_services(stack, config, port))
    async with folder.serving(stack.data_dir, note, await_guests=False):
        await on_ready(note)
        await asyncio.Event().wait()


def _services(stack: LocalStack, config: Settings, port: int) -> list[Service]:
    environment = os.environ | {
        "DATABASE_URL": stack.database_url,
        "REDIS_URL": stack.redis_url,
        "CAIRN_DATA_DIR": str(stack.data_dir),
        "CAIRN_PORT": str(port),
    }

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection(config.host, port)
        except OSError:
            return False
        writer.close()
        return True

    celery = (sys.executable, "-m", "celery", "-A", "workers.celery_app")
    processes = str(config.worker_processes)
    return [
        Service(
            "worker",
            [
                *(*celery, "worker", "--loglevel", "INFO", "--concurrency", processes, "--prefetch-multiplier", "1"),
                *("-O", "fair", "--without-gossip", "--without-mingle"),
            ],
            environment=environment,
            stop=signal.SIGQUIT,  # Celery's soft shutdown: a task gets worker_soft_shutdown_timeout, then goes back
            grace_s=6.0,
        ),
        Service(
            "beat",
            [*celery, "beat", "--loglevel", "INFO", "--schedule", stack.data_dir / "beat", "--pidfile="],
            environment=environment,
        ),
        Service(
            "web",
            [
                *(sys.executable, "-m", "uvicorn", "app.main:app", "--host", config.host, "--port", str(port)),
                *("--timeout-graceful-shutdown", "2", "--no-server-header"),
            ],
            environment=environment,
            ready=answers,
        ),
    ]


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
