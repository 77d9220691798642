"""Isolated runs per second of the sandbox, beside other ways of running solutions and beside a fork without isolation.

    python -m bench.sandbox --others .cairn/executors/bin/python --out build/sandbox.json

T1 is a program with one call, T5 one with five calls; pairs are (solution, input) pairs of 32 solutions with 10 inputs
each. Batches of all contenders alternate and medians are shown, so that a noisy machine disturbs all of them alike:
compare within one table. What a run costs in processor time, all processes together, suffers least from a busy machine.

    cairn, LEVEL    the sandbox, as it is
    many modules    the same at its strongest, for programs that import what few do
    floor           the same interpreter behind the same driver, forked without any wall
    bare fork       that, without a driver and without a limit in time
    the others      how other projects run a solution, by their own packages and without isolation: other_executors.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import marshal
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from app import registry
from app.domain.ports import Call, Isolation, Limits, Program, Sandbox, Status
from app.sandboxes.forkserver import ForkServerSandbox
from app.sandboxes.forkserver.process import Response, Zygote
from bench import other_executors, unconfined
from bench.other_executors import Job
from bench.sandbox_report import MANY, PERCENTILES, SIZES, goals, ratios, show

SOURCE = """
def f(x):
    total = {shift}
    for i in range(x):
        total += i * i
    return [total, {{"x": x}}, str(x)]
"""
SOLUTIONS, INPUTS = 32, 10
GROWTH_RUNS = 10_000
_LINE = 1 << 22  # bytes of an answer
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


def program(job: Job, first: str = "") -> Program:
    source, function, inputs, _ = job
    return Program(first + source, tuple(Call(function, tuple(each)) for each in inputs))


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

    def __init__(self, stack: AsyncExitStack, others: Path) -> None:
        self._stack = stack
        self._others = others
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
        for size in SIZES:
            for level in Isolation:
                async with registry.sandbox("forkserver").open(strongest=level) as trial:  # type: ignore[attr-defined]
                    if trial.isolation is not level:
                        continue
                await self.add(f"cairn, {level.value}", size, lambda size, level=level: self._cairn(size, level))
            await self.add(MANY, size, lambda size: self._cairn(size, Isolation.FULL, "import decimal\n"))
            await self.add("floor", size, self._floor)
            for name in other_executors.EXECUTORS:
                await self.add(name, size, lambda size, name=name: self._other(size, name))
        await self.add("bare fork", 1, self._bare)

    async def _cairn(self, size: int, level: Isolation, first: str = "") -> Batch:
        opened = registry.sandbox("forkserver").open(size=size, strongest=level)  # type: ignore[attr-defined]
        return _driven(await self._stack.enter_async_context(opened), size, first)

    async def _floor(self, size: int) -> Batch:
        zygotes = [await Unconfined.start(preload=[], without=[], replica=0, wide=False) for _ in range(size)]
        for zygote in zygotes:
            self._stack.callback(zygote.kill)
        return _driven(ForkServerSandbox([Floor(zygotes)], [], (), zygotes[0].report), size)  # type: ignore[list-item]

    async def _other(self, size: int, name: str) -> Batch:
        script = [str(self._others), str(Path(other_executors.__file__)), name]
        processes = []
        for _ in range(size):
            process = await asyncio.create_subprocess_exec(
                *script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, limit=_LINE
            )
            self._stack.push_async_callback(_end, process)
            processes.append(process)

        async def ask(process: asyncio.subprocess.Process, jobs: Sequence[Job]) -> list[float]:
            if not process.stdin or not process.stdout:
                raise RuntimeError("pipes were asked for")
            process.stdin.write(json.dumps(jobs).encode() + b"\n")
            answer = await process.stdout.readline()
            if not answer:
                raise RuntimeError(f"{name} gave up; run it by hand: {' '.join(script)}")
            durations: list[float] = json.loads(answer)
            return durations

        async def batch(jobs: Sequence[Job]) -> list[float]:
            asked = [ask(process, jobs[place::size]) for place, process in enumerate(processes)]
            return [duration for part in await asyncio.gather(*asked) for duration in part]

        return batch

    async def _bare(self, _size: int) -> Batch:
        given = unconfined.options(wide=False)
        script = [sys.executable, "-s", "-P", "-S", "-B", "-Wignore", str(Unconfined.script), given, "fork"]
        process = await asyncio.create_subprocess_exec(*script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._stack.push_async_callback(_end, process)
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


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()  # which closes the pipes


def _driven(sandbox: Sandbox, size: int, first: str = "") -> Batch:
    """As many requests under way as there are interpreters, and one more each, so that none waits for its driver."""

    async def batch(jobs: Sequence[Job]) -> list[float]:
        waiting = iter([(program(job, first), job[3]) for job in jobs])
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
            many = max(100, count // 5) if name in other_executors.EXECUTORS else count
            spans = sorted([(await batch([job(5)]))[0] * 1000 for _ in range(many)])
            found[name] = {f"p{percent}_ms": spans[len(spans) * percent // 100] for percent in PERCENTILES}
    return found


async def deadline(count: int = 20) -> list[dict[str, float]]:
    """Milliseconds after which a program that computes for ever, with a deadline of 200 ms, has ended, and its share of
    a processor until then: whoever is kept from computing is given longer.
    """
    limits = Limits(wall_ms=200, cpu_ms=200)
    endless = Program("def f():\n    while True: pass", (Call("f", ()),), limits)
    found = []
    async with registry.sandbox("forkserver").open() as sandbox:
        for _ in range(count):
            started = time.perf_counter()
            execution = await sandbox.run(endless)
            taken = (time.perf_counter() - started) * 1000
            found.append({"ms": taken, "share": execution.cpu_us / execution.wall_us})
            after = await sandbox.run(program(job(1)))
            if (execution.outcomes[0].status, after.outcomes[0].status) != (Status.TIMEOUT, Status.VALUE):
                raise RuntimeError(f"not ended by its deadline, or the next run was not normal: {execution}, {after}")
    return sorted(found, key=lambda each: each["ms"])


async def growth(runs: int, size: int = 2) -> dict[str, float]:
    """What is left of many runs: memory of all processes that is theirs alone, descriptors, processes."""
    before = set(psutil.Process().children(recursive=True))
    async with registry.sandbox("forkserver").open(size=size) as sandbox:  # type: ignore[attr-defined]
        batch = _driven(sandbox, size)
        await batch([job(1)] * (runs // 5))
        first = _held()
        await batch([job(1)] * runs)
        last = _held()
    time.sleep(0.2)  # noqa: ASYNC251 - the processes end by themselves
    stray = len(set(psutil.Process().children(recursive=True)) - before)
    return {"runs": runs, "mb": (last[0] - first[0]) / 2**20, "descriptors": last[1] - first[1], "processes": stray}


def _held() -> tuple[int, int]:
    """(bytes, descriptors) of all our processes."""
    own = psutil.Process()
    all_of_us = [own, *own.children(recursive=True)]
    return sum(_memory(each, "uss") for each in all_of_us), sum(map(_descriptors, all_of_us))


def _memory(process: psutil.Process, kind: str) -> int:
    """In bytes. Of an isolated interpreter only root may read it; for others this is what no file stands behind."""
    try:
        return int(getattr(process.memory_full_info(), kind))
    except psutil.AccessDenied:
        info = process.memory_info()
        return int(info.rss - info.shared)


def _descriptors(process: psutil.Process) -> int:
    """Those of an isolated interpreter are shown to root alone, and not counted for others."""
    try:
        return int(process.num_fds())
    except psutil.AccessDenied:
        return 0


def _cpu_s() -> float:
    """Of all our processes, and of those that they reaped."""
    own = psutil.Process()
    return sum(sum(each.cpu_times()[:4]) for each in [own, *own.children(recursive=True)])


def _memory_mb() -> float:
    """Of all our processes, each shared page counted once."""
    own = psutil.Process()
    return sum(_memory(each, "pss") for each in [own, *own.children(recursive=True)]) / 2**20


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a batch")
    parser.add_argument("--others", type=Path, required=True, help="the Python that has the others' packages")
    parser.add_argument("--out", type=Path, default=None, help="where the figures go as JSON")
    options = parser.parse_args()
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processors": len(os.sched_getaffinity(0)),
        "load_before": [round(each, 1) for each in os.getloadavg()],
    }
    async with AsyncExitStack() as stack:
        contenders = Contenders(stack, options.others)
        await contenders.open_all()
        report["throughput"] = await measure(contenders, options.rounds, options.seconds)
        report["latency"] = await latency(contenders, 500)
        report["memory_mb"] = {name: value for (name, size), value in contenders.memory_mb.items() if size == 1}
    report["deadline"] = await deadline()
    report["growth"] = await growth(GROWTH_RUNS)
    report["load_after"] = [round(each, 1) for each in os.getloadavg()]
    report["ratios"] = ratios(report["throughput"])
    report["goals"] = goals(report)
    show(report)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
