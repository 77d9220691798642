"""Isolated runs per second of the sandbox, beside other ways of running solutions and beside a fork without isolation.

    python -m bench.sandbox --out build/sandbox.json

T1 is a program with one call, T5 one with five calls; pairs are (solution, input) pairs of 32 solutions with 10 inputs
each. Batches of all contenders alternate and medians are shown, so that a noisy machine disturbs all of them alike:
compare within one table. What a run costs in processor time, all processes together, suffers least from a busy machine.
`floor` is the same interpreter behind the same driver without any wall; `bare fork` has no
driver either. Other projects' executors are small re-implementations: see other_executors.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import marshal
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from app import registry
from app.domain.ports import Call, Isolation, Limits, Program, Sandbox, Status
from app.sandboxes.forkserver import ForkServerSandbox, layers
from app.sandboxes.forkserver.process import Response, Zygote
from bench import other_executors, unconfined
from bench.other_executors import Job

SOURCE = """
def f(x):
    total = {shift}
    for i in range(x):
        total += i * i
    return [total, {{"x": x}}, str(x)]
"""
SOLUTIONS, INPUTS = 32, 10
Batch = Callable[[Sequence[Job]], Awaitable[list[float]]]  # seconds of each job


def job(calls: int, shift: int = 0) -> Job:
    source = SOURCE.format(shift=shift)
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - our own, a few lines above
    inputs = [(number,) for number in range(calls)]
    return source, "f", inputs, [space["f"](*each) for each in inputs]


WORKLOADS = {
    "T1": ([job(1)], 1),
    "T5": ([job(5)], 1),
    "pairs": ([job(INPUTS, shift) for shift in range(SOLUTIONS)], INPUTS),
}  # the jobs, and what each counts for


def program(job: Job) -> Program:
    source, function, inputs, _ = job
    return Program(source, tuple(Call(function, tuple(each)) for each in inputs))


class Unconfined(Zygote):
    script = Path(__file__).with_name("unconfined.py")


class Floor:
    """Stands in for a pool of interpreters, which would not take one without walls."""

    def __init__(self, zygotes: Sequence[Zygote]) -> None:
        self._free: asyncio.LifoQueue[Zygote] = asyncio.LifoQueue()
        for zygote in zygotes:
            zygote.freed = self._free.put_nowait
            self._free.put_nowait(zygote)

    async def ask(self, header: bytes, payload: bytes, wall_ms: int, *, wide: bool) -> Response:
        if wide:
            raise RuntimeError("only the narrow kind is measured")
        return await (await self._free.get()).request(header, payload, wall_ms)


class Contenders:
    """Opens each one, and gives its batch by (name, processes)."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.batches: dict[tuple[str, int], Batch] = {}
        self.memory_mb: dict[tuple[str, int], float] = {}
        self.isolation: Isolation | None = None

    async def add(self, name: str, size: int, open_one: Callable[[int], Awaitable[Batch]]) -> None:
        before = _memory_mb()
        batch = await open_one(size)
        await batch([job(1)] * 2 * size)
        self.batches[name, size] = batch
        self.memory_mb[name, size] = _memory_mb() - before

    async def open_all(self) -> None:
        for size in (1, 2):
            for level in Isolation:
                async with registry.sandbox("forkserver").open(strongest=level) as trial:  # type: ignore[attr-defined]
                    if trial.isolation is not level:
                        continue
                await self.add(f"cairn, {level.value}", size, lambda size, level=level: self._cairn(size, level))
            await self.add("floor", size, self._floor)
            for name in other_executors.EXECUTORS:
                await self.add(name, size, lambda size, name=name: self._other(size, name))
        await self.add("bare fork", 1, self._bare)

    async def _cairn(self, size: int, level: Isolation) -> Batch:
        opened = registry.sandbox("forkserver").open(size=size, strongest=level)  # type: ignore[attr-defined]
        return _driven(await self._stack.enter_async_context(opened), size)

    async def _floor(self, size: int) -> Batch:
        zygotes = [await Unconfined.start(preload=[], without=[], replica=0, wide=False) for _ in range(size)]
        for zygote in zygotes:
            self._stack.callback(zygote.kill)
        return _driven(ForkServerSandbox([Floor(zygotes)], layers.report({})), size)  # type: ignore[list-item]

    async def _other(self, size: int, name: str) -> Batch:
        pool = ProcessPoolExecutor(size, multiprocessing.get_context("spawn"))
        self._stack.callback(pool.shutdown)
        loop = asyncio.get_running_loop()

        async def batch(jobs: Sequence[Job]) -> list[float]:
            parts = [
                loop.run_in_executor(pool, other_executors.run_many, name, jobs[place::size]) for place in range(size)
            ]
            return [duration for part in await asyncio.gather(*parts) for duration in part]

        return batch

    async def _bare(self, _size: int) -> Batch:
        given = unconfined.options(wide=False)
        script = [sys.executable, "-s", "-P", "-S", "-B", "-Wignore", str(Unconfined.script), given, "fork"]
        process = await asyncio.create_subprocess_exec(*script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._stack.callback(process.kill)
        questions, answers = process.stdin, process.stdout
        if not questions or not answers:
            raise RuntimeError("pipes were asked for")

        async def batch(jobs: Sequence[Job]) -> list[float]:
            seconds = []
            for source, function, inputs, _ in jobs:
                payload = marshal.dumps((source, tuple((function, tuple(each)) for each in inputs)), 2)
                questions.write(b"1 %d\n" % len(payload) + payload)
                seconds.append(float(await answers.readline()))
            return seconds

        return batch


def _driven(sandbox: Sandbox, size: int) -> Batch:
    """As many requests under way as there are interpreters, and one more each, so that none waits for its driver."""

    async def batch(jobs: Sequence[Job]) -> list[float]:
        waiting = iter([(program(job), job[3]) for job in jobs])
        durations = []

        async def work() -> None:
            for each, expected in waiting:
                started = time.perf_counter()
                execution = await sandbox.run(each)
                durations.append(time.perf_counter() - started)
                if [outcome.value for outcome in execution.outcomes] != expected:
                    raise RuntimeError(f"a wrong answer: {execution}")

        await asyncio.gather(*(work() for _ in range(min(len(jobs), 2 * size))))
        return durations

    return batch


async def measure(contenders: Contenders, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """One row per contender, number of processes and workload."""
    rates: defaultdict[tuple[str, int, str], list[float]] = defaultdict(list)
    spent: defaultdict[tuple[str, int, str], list[float]] = defaultdict(list)
    counts: dict[tuple[str, int, str], int] = {}
    for round_ in range(rounds + 1):
        for (name, size), batch in contenders.batches.items():
            for workload, (jobs, weight) in WORKLOADS.items():
                key = (name, size, workload)
                wanted = jobs * max(1, counts.get(key, 8) // len(jobs))
                started, cpu = time.perf_counter(), _cpu_s()
                durations = await batch(wanted)
                # What is timed inside has no driver; the others are timed as a whole.
                taken = sum(durations) if name == "bare fork" else time.perf_counter() - started
                rate = len(wanted) / taken
                counts[key] = max(4, int(rate * seconds))  # the first round only finds out how much fits
                if round_:
                    rates[key].append(rate * weight)
                    spent[key].append((_cpu_s() - cpu) / len(wanted) / weight * 1000)
        print(f"round {round_} of {rounds}", file=sys.stderr, flush=True)
    return [
        {
            "name": name,
            "processes": size,
            "workload": workload,
            "per_second": statistics.median(values),
            "cpu_ms": statistics.mean(spent[name, size, workload]),
        }
        for (name, size, workload), values in rates.items()
    ]


async def latency(contenders: Contenders, count: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one T5 at a time."""
    found = {}
    for (name, size), batch in contenders.batches.items():
        if size == 1:
            many = count if name.startswith(("cairn", "floor", "bare")) else max(20, count // 20)
            seconds = sorted([(await batch([job(5)]))[0] * 1000 for _ in range(many)])
            found[name] = {"p50_ms": statistics.median(seconds), "p99_ms": seconds[int(len(seconds) * 0.99)]}
    return found


async def deadline(count: int = 20) -> list[float]:
    """Milliseconds after which a program that computes for ever, with a deadline of 200 ms, has ended."""
    limits = Limits(wall_ms=200, cpu_ms=200)
    endless = Program("def f():\n    while True: pass", (Call("f", ()),), limits)
    found = []
    async with registry.sandbox("forkserver").open() as sandbox:
        for _ in range(count):
            started = time.perf_counter()
            execution = await sandbox.run(endless)
            found.append((time.perf_counter() - started) * 1000)
            after = await sandbox.run(program(job(1)))
            if (execution.outcomes[0].status, after.outcomes[0].status) != (Status.TIMEOUT, Status.VALUE):
                raise RuntimeError(f"not ended by its deadline, or the next run was not normal: {execution}, {after}")
    return sorted(found)


def _cpu_s() -> float:
    """Of all our processes, and of those that they reaped."""
    own = psutil.Process()
    return sum(sum(each.cpu_times()[:4]) for each in [own, *own.children(recursive=True)])


def _memory_mb() -> float:
    """Of all our processes, each shared page counted once."""
    own = psutil.Process()
    total = 0
    for process in [own, *own.children(recursive=True)]:
        total += process.memory_full_info().pss
    return total / 2**20


def show(report: dict[str, Any]) -> None:
    cpu = {
        row["name"]: row["cpu_ms"] for row in report["throughput"] if (row["processes"], row["workload"]) == (1, "T5")
    }
    cells = {(row["name"], row["processes"], row["workload"]): row["per_second"] for row in report["throughput"]}
    print(f"\nPer second on {report['processors']} processors; load average {report['load_before']}.\n")
    print(f"{'':20}{'1 process':>27}  {'2 processes':>27}  {'T5, one at a time':>18}  T5, CPU  memory")
    print(f"{'':20}" + f"{'T1':>9}{'T5':>9}{'pairs':>9}  " * 2 + f"{'p50':>9}{'p99':>9}")
    for name in dict.fromkeys(name for name, _, _ in cells):
        line = f"{name:20}"
        for size in (1, 2):
            line += "".join(
                f"{cells[name, size, workload]:9,.0f}" if (name, size, workload) in cells else f"{'':9}"
                for workload in WORKLOADS
            )
            line += "  "
        late = report["latency"][name]
        print(
            f"{line}{late['p50_ms']:6.2f} ms{late['p99_ms']:6.2f} ms {cpu[name]:5.2f} ms"
            f"  {report['memory_mb'][name]:5.0f} MB"
        )
    print("\nRatios")
    for text, value in report["ratios"].items():
        print(f"  {text:58}{value:9.2f}")
    print("\nGoals, on two idle cores")
    for text, (value, met) in report["goals"].items():
        print(f"  {text:58}{value:9,.2f}  {'met' if met else 'not met'}")


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    rate = {(row["name"], row["processes"], row["workload"]): row["per_second"] for row in rows}
    cpu = {row["name"]: row["cpu_ms"] for row in rows if (row["processes"], row["workload"]) == (1, "T5")}
    best = max((name for name, _, _ in rate if name.startswith("cairn")), key=lambda name: "full" in name)
    found = {}
    for size in (1, 2):
        for other in ("floor", *other_executors.EXECUTORS):
            found[f"{best} / {other}, T5, {size} process{'es' * (size > 1)}"] = (
                rate[best, size, "T5"] / rate[other, size, "T5"]
            )
    for other in ("floor", *other_executors.EXECUTORS):
        found[f"processor time of {other} by that of {best}"] = cpu[other] / cpu[best]
    found[f"{best} / bare fork, T5, 1 process"] = rate[best, 1, "T5"] / rate["bare fork", 1, "T5"]
    found[f"{best}, 2 processes / 1, T5"] = rate[best, 2, "T5"] / rate[best, 1, "T5"]
    return found


def goals(report: dict[str, Any]) -> dict[str, tuple[float, bool]]:
    """Figure, and whether it meets the goal; the level is the strongest here."""
    rows, found = report["throughput"], report["ratios"]
    strongest = next(row["name"] for row in rows if row["name"].startswith("cairn"))
    rate = {row["workload"]: row["per_second"] for row in rows if (row["name"], row["processes"]) == (strongest, 2)}
    ratio = {text.split(" / ")[1]: value for text, value in found.items() if " / " in text}
    figures: dict[str, tuple[float, Callable[[float], bool]]] = {
        "T5 per second, at least 1,300": (rate["T5"], lambda value: value >= 1_300),
        "pairs per second, at least 9,000": (rate["pairs"], lambda value: value >= 9_000),
        "of the floor, at least 0.85": (ratio["floor, T5, 1 process"], lambda value: value >= 0.85),
        "times EvalPlus, at least 10": (ratio["evalplus, T5, 1 process"], lambda value: value >= 10),
        "times verl, at least 30": (ratio["verl, T5, 1 process"], lambda value: value >= 30),
        "p99 of T5 in ms, under 5": (report["latency"][strongest]["p99_ms"], lambda value: value < 5),
        "end of a deadline of 200 ms, within 210": (report["deadline_ms"][-1], lambda value: value <= 210),
    }
    return {text: (value, holds(value)) for text, (value, holds) in figures.items()}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a batch")
    parser.add_argument("--out", type=Path, default=None, help="where the figures go as JSON")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processors": len(os.sched_getaffinity(0)),
        "load_before": [round(each, 1) for each in os.getloadavg()],
    }
    async with AsyncExitStack() as stack:
        contenders = Contenders(stack)
        await contenders.open_all()
        report["throughput"] = await measure(contenders, options.rounds, options.seconds)
        report["latency"] = await latency(contenders, 500)
        report["memory_mb"] = {name: value for (name, size), value in contenders.memory_mb.items() if size == 1}
    report["deadline_ms"] = await deadline()
    report["load_after"] = [round(each, 1) for each in os.getloadavg()]
    report["ratios"] = ratios(report["throughput"])
    report["goals"] = goals(report)
    show(report)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
