"""How busy Cairn keeps its models: whole runs against mock servers, beside what could be reached at best.

    python -m bench.engine --chains 300 2000 --lanes 1 4 --out build/engine.json

Real lanes, database, sandbox and HTTP; only the servers are mock (bench/mock_openai.py). The ideal, per-turn lock-step
and batches of 50 are simulated with the very same lengths and no cost of their own, which flatters them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app import config, db, events, jobs
from app.db import unit_of_work
from app.domain.randomness import derive
from app.domain.seeds import SeedDraft
from app.engines._openai.server import first_seed
from app.features.accounts.service import ensure_local_owner
from app.features.runs import lane, ledger_check, queries, service
from app.features.runs.schemas import parse
from app.features.seeds.service import create_set
from app.local.ports import free_port
from app.local.stack import LocalStack
from app.migrate import upgrade
from app.models import Seed
from bench import bare_client, simulation
from bench.mock_openai import lengths

ENVIRONMENT = "deduction"  # its verdicts compare values: what is measured is the driving of models
RUN_SEED = 1
# Between two looks of a lane, a second apart, real servers make 30 to 100 tokens of a sample, and mock ones a thousand:
# lanes that share servers would find their shares when a small run is half over. Still less often than real ones do.
_TOKENS_PER_LOOK = 250
_READY_S = 120.0


@dataclass(frozen=True)
class Load:
    """What the servers take, and how long it takes them, equal work for both; how often a lane looks at them."""

    slots: tuple[int, int] = (32, 512)
    mean_tokens: tuple[float, float] = (800.0, 400.0)
    token_s: float = 0.001
    turns: int = 6
    attempts: int = 32
    look_s: float = _TOKENS_PER_LOOK * 0.001


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds, unless named otherwise."""

    chains: int
    lanes: int
    token: float
    look: float
    cairn: float
    ideal: float
    bound: float
    lock_step: float
    batches_of_50: float
    of_ideal: float
    of_bound: float
    requests: int
    cpu_ms_per_request: float
    cpu_ms_per_chain: float
    bare_client_cpu_ms_per_request: float | None  # None where servers fail on purpose: it has no patience
    memory_mb_early: float
    memory_mb_late: float
    teacher_busy: float
    student_busy: float
    before_first_request: float
    cancelled_within: float
    problems: int


def measure(load: Load, chains: int, lanes: int, faults: float) -> Result:
    work = _prepare(chains, load)
    ports = (free_port(9_100), free_port(9_300))
    with _servers(ports, load, faults):
        run_id = _start(chains, lanes, ports, load)
        began = time.monotonic()
        usage, memory = _drive(run_id, lanes, load.look_s)
        teacher, student = (_stats(port) for port in ports)
        at_once = load.slots[0], max(1, load.slots[1] // load.attempts)
        bare_ms = None if faults else bare_client.cpu_ms(ports, at_once)
        cancelled_within = _cancel(chains, lanes, ports, load)
    makespan = max(teacher["last"], student["last"]) - teacher["first"]
    requests = int(teacher["requests"] + student["requests"])
    with unit_of_work() as session:
        report = ledger_check.check(session, queries.run_to_drive(session, run_id))
    if report.state != "finished":
        raise SystemExit(f"the run is {report.state}, not finished")
    ideal, least = simulation.pipelined(work, load.slots), simulation.bound(work, load.slots)
    if not faults:
        _same_work(work, teacher["busy_s"] + student["busy_s"])
    third = max(1, len(memory) // 3)
    return Result(
        chains=chains,
        lanes=lanes,
        token=load.token_s,
        look=load.look_s,
        cairn=makespan,
        ideal=ideal,
        bound=least,
        lock_step=simulation.lock_step(work, load.slots),
        batches_of_50=simulation.in_batches(work, load.slots),
        of_ideal=ideal / makespan,
        of_bound=least / makespan,
        requests=requests,
        cpu_ms_per_request=1000 * usage / requests,
        cpu_ms_per_chain=1000 * usage / chains,
        bare_client_cpu_ms_per_request=bare_ms,
        memory_mb_early=max(memory[:third], default=0) / 2**20,
        memory_mb_late=max(memory[-third:], default=0) / 2**20,
        teacher_busy=teacher["busy_s"] / (makespan * load.slots[0]),
        student_busy=student["busy_s"] / (makespan * load.slots[1]),
        before_first_request=teacher["first"] - began,
        cancelled_within=cancelled_within,
        problems=len(report.problems),
    )


def _prepare(chains: int, load: Load) -> list[simulation.Chain]:
    """The seeds of a run, and the seconds that each of its requests will take."""
    name = f"{chains} seeds"
    with unit_of_work() as session:
        actor = ensure_local_owner(session)
        create_set(session, actor, name, (_seed(number) for number in range(chains)), origin="bench")
        digests = session.scalars(select(Seed.digest).order_by(Seed.position)).all()
    return [_seconds(digest, load) for digest in digests]


def _seed(number: int) -> SeedDraft:
    rng = Random(number)  # noqa: S311
    lines = [f"    value_{i} = {rng.randrange(1000)} + x * {rng.randrange(1000)}" for i in range(26)]
    return SeedDraft("\n".join([f"def g_{number}(x):", *lines, "    return value_0"]), "snippet", f"seed {number}")


def _seconds(digest: str, load: Load) -> simulation.Chain:
    requests = []
    for turn in range(1, load.turns + 1):
        for role, n, mean in zip(("teacher", "student"), (1, load.attempts), load.mean_tokens, strict=True):
            seed = first_seed(derive(RUN_SEED, "main", ENVIRONMENT, digest, turn, 1, role))
            requests.append([length * load.token_s for length in lengths(seed, n, mean)])
    return requests


def _same_work(work: Sequence[simulation.Chain], busy_s: float) -> None:
    """What was simulated is what the servers did, but for a problem that a starved machine was too slow to check."""
    simulated = sum(sum(map(sum, chain)) for chain in work)
    if abs(simulated - busy_s) > 0.005 * simulated:
        raise SystemExit(f"simulated {simulated:.1f} s of work, but the servers did {busy_s:.1f} s")


@contextmanager
def _servers(ports: tuple[int, int], load: Load, faults: float) -> Iterator[None]:
    words = ["--port", *ports, "--slots", *load.slots, "--mean-tokens", *load.mean_tokens]
    words += ["--token-s", load.token_s, "--faults", faults]
    command = [sys.executable, "-m", "bench.mock_openai", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise SystemExit("the mock servers did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def _stats(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as response:
        return json.load(response)  # type: ignore[no-any-return]


def _start(chains: int, lanes: int, ports: tuple[int, int], load: Load) -> int:
    def model(role: int, name: str) -> dict[str, object]:
        return {"engine": "openai", "options": {"base_url": f"http://127.0.0.1:{ports[role]}/v1", "model": name}}

    config.settings().worker_processes = lanes
    with unit_of_work() as session:
        return service.create(
            session,
            ensure_local_owner(session),
            parse(
                {
                    "seeds": {"set": f"{chains} seeds"},
                    "environments": [ENVIRONMENT],
                    "turns": load.turns,
                    "attempts": load.attempts,
                    "baseline": False,
                    "seed": RUN_SEED,
                    "teacher": model(0, "teacher"),
                    "student": model(1, "student"),
                }
            ),
        ).id


def _drive(run_id: int, lanes: int, look_s: float) -> tuple[float, list[int]]:
    """CPU seconds of the lanes' own processes, and their memory over time (of the largest)."""
    processes, results = start_lanes(run_id, lanes, look_s)
    memory = []
    while any(process.is_alive() for process in processes):
        time.sleep(0.5)
        memory.append(max((memory_of(process.pid) for process in processes), default=0))
    usage = sum(results.get() for _ in processes)
    return usage, [used for used in memory if used]


def start_lanes(run_id: int, lanes: int, look_s: float | None = None) -> tuple[list[Any], Any]:
    db.engine().dispose()
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    ready = context.Barrier(lanes + 1)  # a worker's processes are there before a run begins
    processes = [context.Process(target=_lane, args=(run_id, look_s, ready, results)) for _ in range(lanes)]
    for process in processes:
        process.start()
    ready.wait(_READY_S)
    return processes, results


def _cancel(chains: int, lanes: int, ports: tuple[int, int], load: Load) -> float:
    """Seconds from the moment that a run is cancelled until the servers work on nothing of it any more.

    Its lanes look as often as the application lets them.
    """
    run_id = _start(chains, lanes, ports, load)
    processes, _ = start_lanes(run_id, lanes)
    while _stats(ports[1])["running"] < min(load.slots[1], load.attempts):
        if not any(process.is_alive() for process in processes):
            raise SystemExit("the run to cancel was over before it was under way: use more chains, or slower servers")
        time.sleep(0.1)
    began = time.monotonic()
    with unit_of_work() as session:
        service.cancel(session, ensure_local_owner(session), run_id)
    while any(_stats(port)["running"] for port in ports):
        time.sleep(0.01)
    within = time.monotonic() - began
    for process in processes:
        process.join()
    return within


def _lane(run_id: int, look_s: float | None, ready: Any, results: Any) -> None:
    """One lane in a process of its own; its sandbox's processes are counted as children, not as its own."""
    if look_s is not None:
        config.settings().control_s = look_s
    ready.wait(_READY_S)
    began = _cpu_s()
    lane.drive_until_over(run_id)
    results.put(_cpu_s() - began)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_of(pid: int | None) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def show(results: Sequence[Result]) -> None:
    first = results[0]
    pace = f"{1000 * first.token:g} ms a token, a look every {first.look:g} s"
    table = Table(title=f"Makespan in seconds ({pace}); lock-step and batches simulated, at their best")
    shown = {
        "chains": lambda r: f"{r.chains:,}",
        "lanes": lambda r: str(r.lanes),
        "Cairn": lambda r: f"{r.cairn:.1f}",
        "ideal": lambda r: f"{r.ideal:.1f}",
        "bound": lambda r: f"{r.bound:.1f}",
        "lock-step": lambda r: f"{r.lock_step:.1f}",
        "batches of 50": lambda r: f"{r.batches_of_50:.1f}",
        "of ideal": lambda r: f"{r.of_ideal:.1%}",
        "of bound": lambda r: f"{r.of_bound:.1%}",
        "CPU ms/request": lambda r: f"{r.cpu_ms_per_request:.2f}",
        "a bare client's": lambda r: f"{ms:.2f}" if (ms := r.bare_client_cpu_ms_per_request) is not None else "",
        "CPU ms/chain": lambda r: f"{r.cpu_ms_per_chain:.0f}",
        "cancelled within": lambda r: f"{r.cancelled_within:.2f} s",
        "MB early, late": lambda r: f"{r.memory_mb_early:.0f}, {r.memory_mb_late:.0f}",
    }
    for name in shown:
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(*(write(result) for write in shown.values()))
    Console(width=180).print(table)


async def _measure_alone(load: Load, chains: int, lanes: int, faults: float) -> Result:
    """In a database of its own: a run's problems are compared with those of earlier ones, which would be the same."""
    with tempfile.TemporaryDirectory(prefix="cairn-bench-") as folder:
        async with LocalStack(Path(folder)) as stack:
            os.environ |= {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url, "CAIRN_DATA_DIR": folder}
            for cached in (config.settings, db.engine, jobs.sender, events.client):
                cached.cache_clear()
            upgrade(config.settings().database_url or "")
            try:
                return await asyncio.to_thread(measure, load, chains, lanes, faults)
            finally:
                db.engine().dispose()


async def _main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--chains", type=int, nargs="+", default=[300])
    options.add_argument("--lanes", type=int, nargs="+", default=[1])
    options.add_argument("--slots", type=int, nargs=2, default=Load.slots)
    options.add_argument("--turns", type=int, default=Load.turns)
    options.add_argument("--token-s", type=float, default=Load.token_s, help="seconds that a token takes the servers")
    options.add_argument(
        "--look-s", type=float, help=f"between two looks of a lane; {_TOKENS_PER_LOOK} tokens, 1 s at most"
    )
    options.add_argument("--faults", type=float, default=0.0, help="share of requests that fail at first")
    options.add_argument("--out", type=Path, help="where the figures go as JSON")
    told = options.parse_args()
    look_s = told.look_s or min(1.0, _TOKENS_PER_LOOK * told.token_s)
    load = Load(slots=tuple(told.slots), token_s=told.token_s, turns=told.turns, look_s=look_s)
    results = []
    for chains in told.chains:
        for lanes in told.lanes:
            results.append(await _measure_alone(load, chains, lanes, told.faults))
            print(json.dumps(asdict(results[-1])), flush=True)
    show(results)
    if told.out:
        told.out.parent.mkdir(parents=True, exist_ok=True)
        told.out.write_text(json.dumps([asdict(result) for result in results], indent=1))


if __name__ == "__main__":
    asyncio.run(_main())
