"""`cairn up`: everything on this machine, with a demo run on the first start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli import context, show
from app.cli.signin import sign_in_url
from app.config import Settings, settings
from app.db import unit_of_work
from app.features.runs import demo
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
    console = Console(highlight=False)

    async def on_ready(serving: Serving) -> None:
        context.adopt(serving)
        await _welcome(config, serving, console, run_demo=run_demo)

    asyncio.run(up(config, on_ready, say=lambda line: console.print(line, markup=False)))


async def _welcome(config: Settings, serving: Serving, console: Console, *, run_demo: bool) -> None:
    actor = await asyncio.to_thread(context.local_owner)
    console.print(
        f"Cairn is ready. Sign in with this one-time link:\n\n  {sign_in_url(serving, actor)}\n", markup=False
    )
    if run_demo and (run_id := await asyncio.to_thread(_start_demo)) is not None:
        console.print(
            "First start: growing a demo run from Python's standard library with the procedural engine "
            "(no language model).",
            markup=False,
        )
        show.print_summary(await show.follow(run_id, console), console)
        console.print(f"\nSee it at {serving.web_url}/runs/{run_id}", markup=False)
    console.print(
        f"\nServing at {serving.web_url}  (logs in {config.data_dir / 'log'}; a new sign-in link: cairn signin; "
        "Ctrl-C ends everything)",
        markup=False,
    )


def _start_demo() -> int | None:
    actor = context.local_owner()
    with unit_of_work() as session:
        run = demo.ensure(session, actor)
        return run.id if run else None
