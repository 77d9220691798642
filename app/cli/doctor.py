"""`cairn doctor`: is this machine fit, and is a run's ledger clean?"""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from app.cli import context
from app.config import libraries, settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import AppError, NotFound
from app.features.runs import ledger_check, queries
from app.features.runs.ledger_check import LedgerReport
from app.isolation import probe, suffices
from app.local.folder import Serving
from app.migrate import revisions
from app.serving import gpus
from app.serving.command import find

_ROOM_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; `remedy` says what to do where it is not `ok`."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    required: bool = True


def command(
    run: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="Check the ledger of this run instead of the machine.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check this machine, or the ledger of one run.

    The ledger check reads every chain, turn and attempt of a run and reports what is missing, doubled or disagrees.
    Exit status 1 means that something is wrong.
    """
    if run is not None:
        _ledger(run, as_json)
        return
    checks = machine_checks()
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            mark = "ok  " if check.ok else "FAIL" if check.required else "off "
            typer.echo(f"{mark}  {check.name}: {check.found}")
            if not check.ok and check.remedy:
                typer.echo(f"      {check.remedy}")
    if not all(check.ok or not check.required for check in checks):
        raise typer.Exit(1)


def machine_checks() -> list[Check]:
    """What a machine needs, strongest dependency first."""
    configured = settings()
    return [
        Check("Python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *_sandbox_checks(),
        _room(),
        _databases(),
        Check("worker processes", True, str(configured.worker_processes)),
        *_serving_checks(),
    ]


def _sandbox_checks() -> list[Check]:
    needed = settings().minimum_isolation
    try:
        isolation, layers = asyncio.run(probe())
    except AppError as error:
        return [Check("sandbox", False, error.message, error.remedy)]
    verdict = Check("sandbox", suffices(isolation), f"level {isolation.value}, needed {needed}")
    return [
        verdict,
        Check("  libraries", True, " ".join(libraries()) or "the standard one alone"),
        *(
            Check(f"  {layer.name}", not layer.obstacle, layer.obstacle or "on", layer.remedy, required=False)
            for layer in layers
        ),
    ]


def _room() -> Check:
    folder = settings().data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Check("disk", free > _ROOM_BYTES, f"{free >> 20:,} MB free for {folder}", "Free at least 1 GB.")


def _databases() -> Check:
    async def work(serving: Serving, actor: Actor) -> str:  # noqa: ARG001
        current, newest = await asyncio.to_thread(revisions, serving.database_url)
        return f"PostgreSQL and Redis answer; schema {current} of {newest}"

    try:
        return Check("databases", True, context.with_databases(work))
    except AppError as error:
        return Check("databases", False, error.message, error.remedy)


def _serving_checks() -> list[Check]:
    """What `cairn serve-models` would find; other machines need neither."""
    counted = Counter(f"{gpu.name}, {gpu.memory_gib:.0f} GiB" for gpu in gpus.found())
    cards = "; ".join(f"{count} x {card}" for card, count in counted.items())
    vllm = find("vllm")
    missing = "Only `cairn serve-models` needs it: docs/models.md says how to install it, or to name its program."
    return [
        Check("GPUs", bool(cards), cards or "none that nvidia-smi knows of", required=False),
        Check("vLLM", vllm is not None, vllm or "not on the PATH", missing, required=False),
    ]


def _ledger(run_id: int, as_json: bool) -> None:
    async def work(serving: Serving, actor: Actor) -> LedgerReport:  # noqa: ARG001
        return await asyncio.to_thread(_checked, run_id, actor)

    report = context.with_databases(work)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        typer.echo(
            f"run {report.run_id}, {report.state}: {report.chains} chains, {report.variants} variants, ", nl=False
        )
        typer.echo(f"{report.attempts} attempts\ncontent {report.digest}")
        for problem in report.problems:
            typer.echo(f"FAIL  {problem}")
        if not report.problems:
            typer.echo("ok    the ledger is clean")
    if report.problems:
        raise typer.Exit(1)


def _checked(run_id: int, actor: Actor) -> LedgerReport:
    with unit_of_work(of_one_moment=True) as session:  # the run may be growing
        run = queries.run(session, actor.workspace_id, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        return ledger_check.check(session, run)
