"""A large run on the procedural engine, with its pages open: memory of the lanes, and how long the pages take.

    python -m bench.large_run --chains 2000 --lanes 2 --out build/large_run.json

All parts are real: chains in all four environments, their checks and verdicts in the sandbox, database, lanes and web
server. While the run grows its pages are asked for every few seconds, and once more often when it has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from app import config, db
from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.seeds import stdlib_snippets
from app.features.accounts import service as accounts
from app.features.runs import ledger_check, queries, service
from app.features.runs.schemas import parse
from app.features.runs.summary import summarise
from app.features.seeds.service import create_set
from app.local.ports import free_port
from app.local.services import web
from app.local.stack import LocalStack
from app.migrate import upgrade
from app.web.deps import SESSION_COOKIE
from bench.engine import memory_of, start_lanes

ENVIRONMENTS = ("deduction", "abduction", "fuzzing", "induction")
PAGES = {"run": "", "tree": "/tree", "diversity": "/diversity"}
_EVERY_S = 5.0
_AT_THE_END = 20  # requests for each page


@dataclass(frozen=True, slots=True)
class Result:
    """Times of pages are seconds: page -> one per request, while the run grew and after."""

    chains: int
    lanes: int
    attempts: int
    seconds: float
    proposals: int
    usable: int
    memory_mb: list[float]  # of the largest lane, over time
    growing: dict[str, list[float]]
    ended: dict[str, list[float]]
    problems: int


class Reader:
    """A signed-in browser, without its pictures."""

    def __init__(self, address: str, secret: str) -> None:
        self._address = address
        self._secret = secret

    def seconds(self, path: str) -> float:
        """How long a page takes, to its last byte."""
        request = urllib.request.Request(  # noqa: S310 - our own
            f"{self._address}{path}", headers={"Cookie": f"{SESSION_COOKIE}={self._secret}"}
        )
        began = time.perf_counter()
        with urllib.request.urlopen(request) as response:  # noqa: S310
            response.read()
        return time.perf_counter() - began


def measure(reader: Reader, actor: Actor, chains: int, lanes: int, turns: int, attempts: int) -> Result:
    run_id = _create(actor, chains, lanes, turns, attempts)
    for path in PAGES.values():
        reader.seconds(f"/runs/{run_id}{path}")  # a web server's first page of a kind takes longer
    growing: defaultdict[str, list[float]] = defaultdict(list)
    memory = []
    began = time.monotonic()
    processes, _ = start_lanes(run_id, lanes)
    while any(process.is_alive() for process in processes):
        for name, path in PAGES.items():
            growing[name].append(reader.seconds(f"/runs/{run_id}{path}"))
        memory.append(max(memory_of(process.pid) for process in processes) / 2**20)
        time.sleep(_EVERY_S)
    seconds = time.monotonic() - began
    ended = {
        name: [reader.seconds(f"/runs/{run_id}{path}") for _ in range(_AT_THE_END)] for name, path in PAGES.items()
    }
    with unit_of_work() as session:
        report = ledger_check.check(session, queries.run_to_drive(session, run_id))
        arm = summarise(session, queries.run_to_drive(session, run_id)).main
    if report.state != "finished":
        raise SystemExit(f"the run is {report.state}, not finished")
    return Result(
        chains=chains,
        lanes=lanes,
        attempts=attempts,
        seconds=seconds,
        proposals=arm.proposals,
        usable=arm.usable,
        memory_mb=[used for used in memory if used],
        growing=dict(growing),
        ended=ended,
        problems=len(report.problems),
    )


def _create(actor: Actor, chains: int, lanes: int, turns: int, attempts: int) -> int:
    config.settings().worker_processes = lanes
    with unit_of_work() as session:
        create_set(session, actor, "stdlib", stdlib_snippets(chains // 4, random.Random(1)), origin="bench")  # noqa: S311
        wanted = {
            "seeds": {"set": "stdlib"},
            "environments": ENVIRONMENTS,
            "turns": turns,
            "attempts": attempts,
            "baseline": False,
        }
        return service.create(session, actor, parse(wanted)).id


def _sign_in(address: str) -> tuple[Reader, Actor]:
    with unit_of_work() as session:
        actor = accounts.ensure_local_owner(session)
        token = accounts.create_sign_in_link(session, actor)
        return Reader(address, accounts.sign_in(session, token, browser="bench", previous="")), actor


def show(result: Result) -> None:
    third = max(1, len(result.memory_mb) // 3)
    early, late = max(result.memory_mb[:third]), max(result.memory_mb[-third:])
    print(
        f"{result.chains:,} chains, {result.proposals:,} proposals with {result.attempts} attempts each in "
        f"{result.seconds:,.0f} s by {result.lanes} lanes; {result.usable:,} usable; {result.problems} problems in the "
        f"ledger; memory of the largest lane {early:.0f} MB in the first third, {late:.0f} MB in the last."
    )
    table = Table(title="Milliseconds of a page, to its last byte")
    for name in ("page", "while it grew: n", "median", "worst", "after its end: n", "median", "worst"):
        table.add_column(name, justify="left" if name == "page" else "right")
    for name in PAGES:
        table.add_row(name, *_figures(result.growing[name]), *_figures(result.ended[name]))
    Console(width=120).print(table)


def _figures(seconds: Sequence[float]) -> tuple[str, str, str]:
    return str(len(seconds)), f"{1000 * statistics.median(seconds):.0f}", f"{1000 * max(seconds):.0f}"


async def _main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--chains", type=int, default=2_000, help="a multiple of four")
    options.add_argument("--lanes", type=int, default=2)
    options.add_argument("--turns", type=int, default=6)
    options.add_argument("--attempts", type=int, default=8)
    options.add_argument("--out", type=Path, help="where the figures go as JSON")
    told = options.parse_args()
    with TemporaryDirectory(prefix="cairn-bench-") as folder:
        async with LocalStack(Path(folder)) as stack:
            os.environ |= {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url, "CAIRN_DATA_DIR": folder}
            config.settings.cache_clear()
            upgrade(config.settings().database_url or "")
            port = free_port(9_700)
            await stack.supervisor.start(web(os.environ, "127.0.0.1", port))
            reader, actor = _sign_in(f"http://127.0.0.1:{port}")
            result = await asyncio.to_thread(measure, reader, actor, told.chains, told.lanes, told.turns, told.attempts)
            db.engine().dispose()
    show(result)
    if told.out:
        told.out.parent.mkdir(parents=True, exist_ok=True)
        told.out.write_text(json.dumps(asdict(result), indent=1))


if __name__ == "__main__":
    asyncio.run(_main())
