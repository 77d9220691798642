"""`cairn benchmarks`: bring benchmark sets in, and list what is there."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli import context
from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import InvalidInput
from app.features.benchmarks import queries
from app.features.benchmarks.schemas import ImportReport
from app.features.benchmarks.service import import_path
from app.local.folder import Serving

app = typer.Typer(no_args_is_help=True, help="Import benchmark sets, whose problems no curriculum may hold; list them.")


@app.command("import")
def import_command(
    path: Annotated[Path, typer.Argument(help="JSONL or Parquet, as HumanEval, MBPP and others are published.")],
    name: Annotated[str, typer.Option(help="Name of the new set; the path's name by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Import a benchmark set: all of it or nothing.

    Runs that begin afterwards are compared with it (fields in docs/formats.md).
    """
    if not path.exists():
        raise InvalidInput(f"{path} does not exist.", field="PATH", remedy="Check the spelling.")

    async def work(serving: Serving, actor: Actor) -> ImportReport:  # noqa: ARG001
        return await asyncio.to_thread(_import, actor, path, name)

    report = context.with_databases(work)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
        return
    typer.echo(
        f"Items in the set {report.name!r}: {report.added:,}, of which {report.short:,} are too short to be recognised."
    )


def _import(actor: Actor, path: Path, name: str) -> ImportReport:
    with unit_of_work() as session:
        return import_path(session, actor, path, name)


@app.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the benchmark sets of this workspace."""

    async def work(serving: Serving, actor: Actor) -> list[dict[str, object]]:  # noqa: ARG001
        return await asyncio.to_thread(_listed, actor)

    sets = context.with_databases(work)
    if as_json:
        typer.echo(json.dumps(sets, indent=2))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("name")
    for title in ("items", "variants that share something"):
        table.add_column(title, justify="right")
    for found in sets:
        table.add_row(str(found["name"]), str(found["items"]), str(found["variants"]))
    Console(highlight=False).print(table)


def _listed(actor: Actor) -> list[dict[str, object]]:
    with unit_of_work() as session:
        return [
            {"name": found.name, "items": found.item_count, "variants": found.variant_count, "origin": found.origin}
            for found in queries.sets(session, actor.workspace_id)
        ]
