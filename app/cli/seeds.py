"""`cairn seeds`: bring real code in, and list what is there."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app.cli import context
from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import InvalidForm, InvalidInput
from app.features.seeds import queries
from app.features.seeds.schemas import ImportOptions, ImportReport
from app.features.seeds.service import import_path
from app.local.folder import Serving
from app.messages import by_field

app = typer.Typer(no_args_is_help=True, help="Import seeds, the real code that problems grow from, and list them.")


@app.command("import")
def import_command(
    path: Annotated[Path, typer.Argument(help="JSONL, Parquet, a zip or folder of source files, a git checkout.")],
    name: Annotated[str, typer.Option(help="Name of the new seed set; the path's name by default.")] = "",
    kind: Annotated[str, typer.Option(help="solution (a whole program) or snippet.")] = "snippet",
    language: Annotated[str, typer.Option(help="Programming language; which source files are read.")] = "python",
    licence: Annotated[str, typer.Option(help="SPDX name, where the seeds do not say their own.")] = "",
    source: Annotated[str, typer.Option(help="Where they come from, where they do not say it.")] = "",
    snippets_per_file: Annotated[int, typer.Option(help="Snippets drawn from each source file at most.")] = 1,
    random_seed: Annotated[int, typer.Option(help="The same number draws the same snippets.")] = 0,
    skip_bad: Annotated[bool, typer.Option(help="Leave out records that can't be used instead of stopping.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Import a seed set: all of it or nothing.

    Files give 25-to-50-line snippets; JSONL and Parquet give one seed per row (fields in docs/formats.md).
    """
    if not path.exists():
        raise InvalidInput(f"{path} does not exist.", field="PATH", remedy="Check the spelling.")
    options = _options(
        kind=kind,
        language=language,
        licence=licence,
        source=source,
        snippets_per_file=snippets_per_file,
        random_seed=random_seed,
        skip_bad=skip_bad,
    )
    console = Console(stderr=True, highlight=False)

    async def work(serving: Serving, actor: Actor) -> ImportReport:  # noqa: ARG001
        with console.status("Reading seeds") as status:

            def told(count: int) -> None:
                status.update(f"Reading seeds: {count:,}")

            return await asyncio.to_thread(_import, actor, path, name, options, told)

    report = context.with_databases(work)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
        return
    typer.echo(f"{report.added:,} seeds in the set {report.name!r}; {report.duplicates:,} duplicates left out.")
    for rejected in report.rejected:
        typer.echo(f"  left out {rejected}")
    if report.rejected_count > len(report.rejected):
        typer.echo(f"  and {report.rejected_count - len(report.rejected):,} more")


def _options(**given: object) -> ImportOptions:
    try:
        return ImportOptions.model_validate(given)
    except ValidationError as error:
        wrong = by_field(error).items()
        raise InvalidForm({f"--{name.replace('_', '-')}": message for name, message in wrong}) from error


def _import(actor: Actor, path: Path, name: str, options: ImportOptions, told: context.Told) -> ImportReport:
    with unit_of_work() as session:
        return import_path(session, actor, path, name, options, told)


@app.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the seed sets of this workspace."""

    async def work(serving: Serving, actor: Actor) -> list[dict[str, object]]:  # noqa: ARG001
        return await asyncio.to_thread(_listed, actor)

    sets = context.with_databases(work)
    if as_json:
        typer.echo(json.dumps(sets, indent=2))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("name")
    table.add_column("seeds", justify="right")
    table.add_column("from")
    for found in sets:
        table.add_row(str(found["name"]), str(found["seeds"]), str(found["origin"]))
    Console(highlight=False).print(table)


def _listed(actor: Actor) -> list[dict[str, object]]:
    with unit_of_work() as session:
        return [
            {"name": found.name, "seeds": found.seed_count, "origin": found.origin}
            for found in queries.sets(session, actor.workspace_id, limit=None)
        ]
