"""What the figures of bench/sandbox.py say: side by side, as ratios, and against what is promised."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench import other_executors

MANY = "many modules"
SIZES = (1, 2, 4)  # processes under way at once; the last is what a worker on two processors has by default
PERCENTILES = (50, 95, 99)
UNDISTURBED = 0.97  # of a processor


def show(report: dict[str, Any]) -> None:
    rows = report["throughput"]
    cells = {(row["name"], row["processes"], row["workload"]): row["per_second"] for row in rows}
    cpu = {row["name"]: row["cpu_ms"] for row in rows if (row["processes"], row["workload"]) == (1, "T5")}
    print(f"\nPer second on {report['processors']} processors; load average {report['load_before']} before.\n")
    heads = "".join(f"{_processes(size):>25}  " for size in SIZES)
    print(f"{'':17}{heads}{'T5, one at a time, in ms':>24}  {'T5, CPU':>8}{'memory':>8}")
    print(
        f"{'':17}"
        + f"{'T1':>8}{'T5':>8}{'pairs':>9}  " * len(SIZES)
        + "".join(f"{f'p{each}':>8}" for each in PERCENTILES)
    )
    for name in dict.fromkeys(row["name"] for row in rows):
        line = f"{name:17}"
        for size in SIZES:
            for workload, width in (("T1", 8), ("T5", 8), ("pairs", 9)):
                cell = cells.get((name, size, workload))
                line += f"{'' if cell is None else f'{cell:,.0f}':>{width}}"
            line += "  "
        line += "".join(f"{report['latency'][name][f'p{each}_ms']:8.2f}" for each in PERCENTILES)
        print(f"{line}  {cpu[name]:5.2f} ms{report['memory_mb'][name]:5.0f} MB")
    spans = [each["ms"] for each in report["deadline"]]
    print(f"\nA deadline of 200 ms ended after {statistics.median(spans):.1f} ms, at worst {spans[-1]:.1f} ms.")
    grown = report["growth"]
    print(
        f"{grown['runs']:,} runs left {grown['mb']:.1f} MB, {grown['descriptors']} descriptors"
        f" and {grown['processes']} processes."
    )
    print("\nRatios, T5")
    for text, value in report["ratios"].items():
        print(f"  {text:58}{value:9.2f}")
    print("\nGoals, on two idle processors                                      wanted  measured  met")
    for goal in report["goals"]:
        print(f"  {goal['goal']:58}{goal['wanted']:>14}{goal['measured']:10,.2f}  {'yes' if goal['met'] else 'no'}")


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of the strongest level here to the others."""
    rate = {(row["name"], row["processes"]): row["per_second"] for row in rows if row["workload"] == "T5"}
    cpu = {row["name"]: row["cpu_ms"] for row in rows if (row["processes"], row["workload"]) == (1, "T5")}
    best = _strongest(rows)
    found = {}
    for other in ("floor", *other_executors.EXECUTORS):
        for size in SIZES:
            found[f"{best} / {other}, {_processes(size)}"] = rate[best, size] / rate[other, size]
        found[f"processor time of {other} / of {best}"] = cpu[other] / cpu[best]
    found[f"{best} / bare fork, 1 process"] = rate[best, 1] / rate["bare fork", 1]
    found[f"{best} / {MANY}, 1 process"] = rate[best, 1] / rate[MANY, 1]
    for size in SIZES[1:]:
        found[f"{best}, {_processes(size)} / 1"] = rate[best, size] / rate[best, 1]
    return found


def goals(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What is promised, of the strongest level here, and whether it holds in this report."""
    rows, ratio = report["throughput"], report["ratios"]
    best = _strongest(rows)
    rate = {row["workload"]: row["per_second"] for row in rows if (row["name"], row["processes"]) == (best, SIZES[-1])}
    undisturbed = [each["ms"] for each in report["deadline"] if each["share"] > UNDISTURBED]
    grown = report["growth"]
    least: list[tuple[str, float, float]] = [
        (f"T5 per second, {_processes(SIZES[-1])}", 1_300, rate["T5"]),
        (f"pairs per second, {_processes(SIZES[-1])}", 9_000, rate["pairs"]),
        ("share of the floor's T5, 1 process", 0.85, ratio[f"{best} / floor, 1 process"]),
        ("times EvalPlus's T5, 1 process", 10, ratio[f"{best} / evalplus, 1 process"]),
        ("times verl's T5, 1 process", 30, ratio[f"{best} / verl, 1 process"]),
    ]
    most: list[tuple[str, float, float]] = [
        ("p99 of T5, one at a time, in ms", 5, report["latency"][best]["p99_ms"]),
        (
            "end of a 200 ms deadline, processor to itself, in ms",
            210,
            max(undisturbed or [each["ms"] for each in report["deadline"]]),
        ),
        ("growth of memory in MB", 4, grown["mb"]),
        ("growth of descriptors", 0, grown["descriptors"]),
        ("stray processes", 0, grown["processes"]),
    ]
    found = [(text, f"at least {bound:,}", value, value >= bound) for text, bound, value in least]
    found += [(text, f"at most {bound:,}", value, value <= bound) for text, bound, value in most]
    return [dict(zip(("goal", "wanted", "measured", "met"), each, strict=True)) for each in found]


def _strongest(rows: Sequence[dict[str, Any]]) -> str:
    name: str = next(row["name"] for row in rows if row["name"].startswith("cairn"))
    return name


def _processes(size: int) -> str:
    return f"{size} process{'es' * (size > 1)}"
