"""`cairn refine`: a run with no browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli import context, show
from app.cli.driving import driven
from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import InvalidInput
from app.features.exports.run import write_run
from app.features.runs import service
from app.features.runs.presets import PRESETS
from app.features.runs.report import as_data
from app.features.runs.schemas import RunConfig, parse, read_yaml, to_yaml
from app.features.runs.summary import RunSummary
from app.features.seeds.service import import_path
from app.local.folder import Serving

# Exit status of a run that did not finish, so that scripts notice.
_INCOMPLETE = 3


def command(
    config: Annotated[
        Path | None, typer.Argument(help="A YAML file of run settings, as the page `New run` saves it.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Name of a seed set, or a path to import: JSONL, Parquet, folder, zip, git.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Use only this many seeds.")] = None,
    preset: Annotated[str | None, typer.Option(help=f"Start from: {', '.join(PRESETS)}.")] = None,
    environment: Annotated[
        list[str] | None, typer.Option("--environment", "-e", help="An environment; repeat for several.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Engine of teacher and student.")] = None,
    strategy: Annotated[str | None, typer.Option(help="How the next turn's direction is chosen.")] = None,
    turns: Annotated[int | None, typer.Option(help="Turns per chain.")] = None,
    attempts: Annotated[int | None, typer.Option(help="Student attempts per problem.")] = None,
    baseline: Annotated[
        bool | None, typer.Option("--baseline/--no-baseline", help="Also run the single-turn baseline.")
    ] = None,
    until: Annotated[
        int | None, typer.Option(help="Take seeds until there are so many usable variants per environment and bin.")
    ] = None,
    bins: Annotated[
        list[str] | None, typer.Option("--bin", help="A bin that --until names; repeat for several.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Stop at so many tokens, of both models.")] = None,
    max_attempts: Annotated[int | None, typer.Option(help="Stop at so many student attempts.")] = None,
    max_hours: Annotated[float | None, typer.Option(help="Stop so many hours after the start.")] = None,
    max_money: Annotated[float | None, typer.Option(help="Stop at so much money, by CAIRN_PRICES.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed: the same seed gives the same run.")] = None,
    name: Annotated[str | None, typer.Option(help="What the run is called.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Grow five seeds only, and estimate what the whole run would take.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the usable variants as JSONL and Parquet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
    print_config: Annotated[bool, typer.Option(help="Print the resulting settings as YAML and stop.")] = False,
) -> None:
    """Grow a run here and now, and print its summary.

    Options go before the YAML file's settings, and these before the preset's. The run is kept: `cairn up` shows it.
    Exit status 3 means that the run paused or was cancelled.
    """
    given: dict[str, object] = {
        "environments": environment or None,
        "strategy": strategy,
        "turns": turns,
        "attempts": attempts,
        "baseline": baseline,
        "seed": seed,
        "name": name,
    }
    if engine:
        given |= {"teacher": {"engine": engine}, "student": {"engine": engine}}
    settings_given = {key: value for key, value in given.items() if value is not None}
    data = {**_preset(preset), **_file(config), **settings_given}
    caps = {"tokens": max_tokens, "attempts": max_attempts, "hours": max_hours, "money": max_money}
    _add(data, "until", {"usable": until, "bins": bins or None})
    _add(data, "caps", caps)
    chosen = _seeds(data, seeds, count)

    async def work(serving: Serving, actor: Actor) -> RunSummary | None:  # noqa: ARG001
        if seeds:
            chosen["set"] = await asyncio.to_thread(_seed_set, actor, seeds)
        run_config = parse(data | {"seeds": chosen})
        if print_config:
            typer.echo(to_yaml(run_config), nl=False)
            return None
        return await _run(actor, run_config, out, preview=preview)

    summary = context.with_databases(work)
    if summary is None:
        return
    if as_json:
        typer.echo(json.dumps(as_data(summary), indent=2))
    else:
        show.print_summary(summary, Console(highlight=False))
    if summary.state != "finished":
        raise typer.Exit(_INCOMPLETE)


def _preset(name: str | None) -> dict[str, object]:
    if name is None:
        return {}
    if name not in PRESETS:
        raise InvalidInput(
            f"There is no preset {name!r}.", field="--preset", remedy=f"Choose one of: {', '.join(PRESETS)}."
        )
    return dict(PRESETS[name])


def _add(data: dict[str, object], name: str, given: Mapping[str, object]) -> None:
    """Sets what was given of a group of settings, and leaves the others as they are."""
    known = data.get(name)
    if added := {key: value for key, value in given.items() if value is not None}:
        data[name] = {**(known if isinstance(known, Mapping) else {}), **added}


def _file(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} can't be read: {error}", field="config", remedy="Name a YAML file.") from error
    return read_yaml(text)


def _seeds(data: dict[str, object], name: str | None, count: int | None) -> dict[str, object]:
    given = data.get("seeds")
    chosen: dict[str, object] = dict(given) if isinstance(given, dict) else {}
    if name is not None:
        chosen["set"] = name
    if count is not None:
        chosen["count"] = count
    if "set" not in chosen:
        raise InvalidInput("No seeds are named.", field="--seeds", remedy="Name a seed set or a path to import.")
    return chosen


def _seed_set(actor: Actor, named: str) -> str:
    """The name of a seed set: the given one, or that of the path imported for this run."""
    if not Path(named).exists():
        return named
    with unit_of_work() as session:
        return import_path(session, actor, Path(named)).name


async def _run(actor: Actor, config: RunConfig, out: Path | None, *, preview: bool) -> RunSummary:
    """Starts the run, drives it from processes of our own beside any workers, and follows it to its end."""
    console = Console(stderr=True, highlight=False)
    run_id = await asyncio.to_thread(_start, actor, config, preview)
    summary = await driven(run_id, show.follow(run_id, console))
    if out is not None:
        for path in await asyncio.to_thread(_export, actor, run_id, out):
            console.print(f"wrote {path}", markup=False)
    return summary


def _start(actor: Actor, config: RunConfig, preview: bool) -> int:
    with unit_of_work() as session:
        return (service.preview if preview else service.create)(session, actor, config).id


def _export(actor: Actor, run_id: int, out: Path) -> list[Path]:
    with unit_of_work() as session:
        return write_run(session, actor, run_id, out)
