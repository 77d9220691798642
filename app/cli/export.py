"""`cairn export`: the files of a frozen curriculum, or of a run's usable variants."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.cli import context
from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import InvalidInput, NotFound
from app.features.curricula.queries import curriculum_by_name
from app.features.exports import service
from app.features.exports.run import write_run
from app.local.folder import Serving


def command(
    curriculum: Annotated[str | None, typer.Argument(help="Name or number of a curriculum.")] = None,
    revision: Annotated[str, typer.Option(help="SHA-256 of a frozen version; the newest by default.")] = "latest",
    run: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="Export the usable variants of this run instead.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("export"),
) -> None:
    """Write JSONL, Parquet and a manifest: the same bytes every time for the same revision."""
    if (curriculum is None) == (run is None):
        raise InvalidInput("Name either a curriculum or --run.", field="CURRICULUM", remedy="See cairn export --help.")

    async def work(serving: Serving, actor: Actor) -> list[Path]:  # noqa: ARG001
        return await asyncio.to_thread(_write, actor, curriculum or "", revision, run, out)

    for path in context.with_databases(work):
        typer.echo(path)


def _write(actor: Actor, curriculum: str, revision: str, run: int | None, out: Path) -> list[Path]:
    with unit_of_work() as session:
        if run is not None:
            return write_run(session, actor, run, out)
        found = curriculum_by_name(session, actor.workspace_id, curriculum)
        if found is None and not curriculum.isdecimal():
            raise NotFound(f"There is no curriculum {curriculum!r}.", field="CURRICULUM")
        number = found.id if found else int(curriculum)
        sha = service.latest(session, actor, number) if revision == "latest" else revision
        return service.write_folder(session, actor, number, sha, out)
