"""What a run has spent, how far its goal is, and what a preview tells of the whole, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from app.features.runs.ends import amount
from app.features.runs.estimate import Range
from app.features.runs.goals import GoalState
from app.features.runs.previews import Estimate
from app.features.runs.summary import RunSummary


def spent(summary: RunSummary) -> str:
    """Attempts, what models with prices or tokens cost, and every cap."""
    found, caps = summary.spent, summary.caps
    known = {"tokens": bool(found.tokens), "attempts": True, "hours": False, "money": found.money is not None}
    listed = [
        amount(name, found.of(name), found.currency)
        + (f" of {amount(name, caps[name], found.currency)}" if name in caps else "")
        for name, is_known in known.items()
        if is_known or name in caps
    ]
    return f"spent: {', '.join(listed)}"


def goals(states: Sequence[GoalState]) -> Table:
    table = _table("Goal", "environment", *states[0].usable, "chains")
    for state in states:
        counts = [f"{count} of {state.wanted}" for count in state.usable.values()]
        met = f", met after {state.chains_to_meet}" if state.met_at else ""
        table.add_row(state.environment, *counts, f"{state.chains}{met}")
    return table


def estimate(found: Estimate) -> Table:
    table = _table(f"The whole run, by n = {found.measured} seeds", "", "estimate", "95% interval")
    rows = {
        "teacher calls": found.calls,
        "student attempts": found.attempts,
        "tokens": found.tokens,
        "hours": found.hours,
        f"money ({found.currency})": found.money,
        "usable variants": found.usable,
        "usable per teacher call": found.usable_per_call,
    }
    for name, range_ in rows.items():
        if range_ and range_.high:
            table.add_row(name, *_figures(range_))
    if found.caps_met:
        table.caption = f"It would stop at its cap on {' or '.join(found.caps_met)}, before this."
    return table


def _figures(range_: Range) -> tuple[str, str]:
    mean, low, high = (
        f"{value:,.0f}" if range_.high >= 100 else f"{value:.3g}" for value in (range_.mean, range_.low, range_.high)
    )
    return mean, f"{low} to {high}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2))
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
