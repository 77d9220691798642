"""What a run looks like in a terminal: a progress bar while it grows, then its summary."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.cli import show_limits
from app.db import unit_of_work
from app.domain.difficulty import wilson
from app.features.runs import queries
from app.features.runs.summary import BINS, ArmSummary, RunSummary, summarise

OVER = frozenset({"finished", "cancelled", "paused"})
_POLL_S = 0.5


def read(run_id: int) -> RunSummary:
    with unit_of_work() as session:
        return summarise(session, queries.run_to_drive(session, run_id))


async def follow(run_id: int, console: Console) -> RunSummary:
    """Shows progress until the run is over or pauses."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=36),
        TaskProgressColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Growing chains", total=1.0, facts="")
        while True:
            summary = await asyncio.to_thread(read, run_id)
            progress.update(task, completed=summary.progress, facts=_facts(summary))
            if summary.state in OVER:
                return summary
            await asyncio.sleep(_POLL_S)


def _facts(summary: RunSummary) -> str:
    arms = [summary.main, *([summary.baseline] if summary.baseline else [])]
    chains, ended = sum(a.chains for a in arms), sum(a.chains_ended for a in arms)
    return f"{ended} of {chains} chains · {summary.main.usable} usable variants"


def print_summary(summary: RunSummary, console: Console) -> None:
    """The same figures as the run's page and its JSON."""
    console.print(f"\n[b]{summary.name}[/b]  run {summary.run_id}, {summary.state}, {_duration(summary.seconds)}")
    if summary.error:
        console.print(f"  {summary.error}", style="red", markup=False)
    if summary.ended_because:
        console.print(f"  {summary.ended_because}", markup=False)
    if summary.uncounted:
        console.print(f"  {summary.uncounted}", markup=False)
    console.print(f"  {show_limits.spent(summary)}", markup=False)
    main, baseline = summary.main, summary.baseline
    console.print(f"  {main.usable} usable variants from {main.proposals} proposals: {_yield(main)}")
    if baseline:
        console.print(f"  single-turn baseline, same budget: {_yield(baseline)}")
    if asked := summary.asked.requests:
        console.print(
            f"  grown on {asked} {'request' if asked == 1 else 'requests'}, outside of the yield: "
            f"{summary.asked.usable} usable of {summary.asked.proposals} proposals"
        )
    console.print(
        f"  {main.chains_usable} of {main.chains} chains hold a usable variant, {main.chains_two_bins} fill two or "
        f"more difficulty bins, {main.chains_complete} are complete (easy, medium, hard)"
    )
    console.print(
        f"  {main.attempts} attempts judged, {main.errors} left out as infrastructure errors; "
        f"sandbox: {', '.join(summary.isolations) or 'unknown'}\n"
    )
    console.print(_table(main))
    if summary.goals:
        console.print(show_limits.goals(summary.goals))
    if summary.estimate:
        console.print(show_limits.estimate(summary.estimate))
    for end in summary.ends:
        if end.turns_unspent:
            arm = "single-turn chains" if end.arm == "baseline" else "chains"
            console.print(f"  {end.chains} {arm} {end.text}; {end.turns_unspent} turns unspent", markup=False)
    if unstarted := sum(arm.chains_unstarted for arm in summary.arms):
        console.print(f"  {unstarted} chains were not started")
    if main.similar or main.contaminated:
        console.print(
            f"  left out of {main.valid} valid: {main.similar} similar to another tree's, "
            f"{main.contaminated} in a benchmark"
        )
    if main.invalid:
        listed = ", ".join(f"{code} {count}" for code, count in main.invalid.items())
        console.print(f"  invalid proposals: {listed}")
    for group in summary.incidents:
        console.print(f"  {group.count} x {group.stage}/{group.kind}: {group.example}", style="yellow", markup=False)


def _yield(arm: ArmSummary) -> str:
    if not arm.proposals:
        return "no proposals"
    low, high = wilson(arm.usable, arm.proposals)
    return f"yield {arm.usable / arm.proposals:.2f} per teacher call (n {arm.proposals}, 95% {low:.2f} to {high:.2f})"


def _table(arm: ArmSummary) -> Table:
    table = Table(title="Usable variants", title_justify="left", box=None, pad_edge=False, padding=(0, 2))
    table.add_column("environment")
    for name in (*BINS, "between bins", "all"):
        table.add_column(name, justify="right")
    for environment, bins in arm.usable_by_environment.items():
        counts = [bins[name] for name in (*BINS, "")]
        table.add_row(environment, *map(str, counts), str(sum(counts)))
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
