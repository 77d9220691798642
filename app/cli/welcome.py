"""What `cairn up` says once all of it answers: a sign-in link and, on the first start, a demo run as it grows.

A module of its own because it needs most of the application, and `cairn up` would rather start the services first.
"""

from __future__ import annotations

import asyncio

from rich.console import Console

from app.cli import context, show
from app.cli.signin import sign_in_url
from app.config import Settings
from app.db import unit_of_work
from app.features.runs import demo
from app.local.folder import Serving


async def welcome(config: Settings, serving: Serving, console: Console, *, run_demo: bool) -> None:
    """Points this process at the databases of `serving`, and reports to the console until the demo is over."""
    context.adopt(serving)
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
