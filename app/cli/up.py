"""`cairn up`: everything on this machine, with a demo run on the first start."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.config import Settings, settings
from app.local.folder import Serving
from app.local.up import up


def command(
    port: Annotated[int | None, typer.Option(help="First port to try; a taken one gives the next.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where databases, logs and exports are kept.")] = None,
    run_demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Launch the demo run when there is no run yet.")
    ] = True,
) -> None:
    """Start databases, workers and web here, and serve until Ctrl-C.

    DATABASE_URL and REDIS_URL use existing servers instead of our own.
    """
    chosen = {"port": port, "data_dir": data_dir}
    config = settings().model_copy(update={name: value for name, value in chosen.items() if value is not None})
    asyncio.run(_serve(config, run_demo=run_demo))


async def _serve(config: Settings, *, run_demo: bool) -> None:
    console = Console(highlight=False)
    loading = asyncio.create_task(asyncio.to_thread(import_module, "app.cli.welcome"))  # while the services start

    async def on_ready(serving: Serving) -> None:
        await (await loading).welcome(config, serving, console, run_demo=run_demo)

    await up(config, on_ready, say=lambda line: console.print(line, markup=False))
