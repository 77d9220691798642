"""`cairn grow`: branches from a variant, with no browser."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from app.cli import context
from app.cli.driving import driven
from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.asking import MOST_CHILDREN, MOST_TURNS
from app.errors import InvalidForm
from app.features.growths import service
from app.features.growths.schemas import GrowthRow, Outcome, Request
from app.features.runs import queries
from app.local.folder import Serving
from app.messages import by_field

# Exit status of a request that waits for its run, or did not come to its end.
_INCOMPLETE = 3
_POLL_S = 0.5


def command(
    variant: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Number of the variant, as in its address.")],
    direction: Annotated[
        str, typer.Option(help="easier, harder or vary; repair for an invalid variant.", show_default=False)
    ],
    instruction: Annotated[str, typer.Option(help="What the teacher is asked in addition.")] = "",
    children: Annotated[int, typer.Option(min=1, max=MOST_CHILDREN, help="Children to grow.")] = 1,
    turns: Annotated[int, typer.Option(min=1, max=MOST_TURNS, help="Turns per branch.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the request as JSON on stdout.")] = False,
) -> None:
    """Grow branches from a variant here and now, and print what came of it.

    They stand in the variant's tree and count for no yield. Exit status 3 means that they did not come to their end: a
    paused run keeps the request until it is resumed.
    """
    given = {"direction": direction, "instruction": instruction, "children": children, "turns": turns}
    try:
        request = Request.model_validate(given)
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error

    async def work(serving: Serving, actor: Actor) -> GrowthRow:  # noqa: ARG001
        console = Console(stderr=True, highlight=False)
        outcome = await asyncio.to_thread(_ask, actor, variant, request)
        console.print(outcome.message, markup=False)
        growth = outcome.growth
        if await asyncio.to_thread(_state, growth.run_id) != "running":
            return growth
        return await driven(growth.run_id, _followed(actor, growth))

    growth = context.with_databases(work)
    if as_json:
        typer.echo(json.dumps(asdict(growth) | {"asked_at": growth.asked_at.isoformat()}, indent=2))
    else:
        typer.echo(f"request {growth.id}, {growth.progress}: variants {', '.join(map(str, growth.variants)) or 'none'}")
    if growth.state != "finished":
        raise typer.Exit(_INCOMPLETE)


def _ask(actor: Actor, variant_id: int, request: Request) -> Outcome:
    with unit_of_work() as session:
        return service.grow(session, actor, variant_id, request)


async def _followed(actor: Actor, growth: GrowthRow) -> GrowthRow:
    """The request once it is over, or its run pauses."""
    while True:
        found = await asyncio.to_thread(_look, actor, growth.id)
        if found.state != "open" or await asyncio.to_thread(_state, found.run_id) != "running":
            return found
        await asyncio.sleep(_POLL_S)


def _look(actor: Actor, growth_id: int) -> GrowthRow:
    with unit_of_work() as session:
        return service.find(session, actor, growth_id)


def _state(run_id: int) -> str | None:
    with unit_of_work() as session:
        return queries.run_state(session, run_id)
