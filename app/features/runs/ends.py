"""Why chains end, and what a run may spend, in words."""

from __future__ import annotations

from app.features.runs import early_stop
from app.features.runs.limits import GOAL_MET
from app.features.runs.schemas import Caps, RunConfig


def amount(cap: str, value: float, currency: str) -> str:
    """An amount as a cap bounds it: 2,000,000 tokens, 1.5 h (or 12 min), 20.00 USD."""
    if cap == "money":
        figure = f"{value:,.2f}" if value >= 1 or not value else f"{value:.2g}"
        return f"{figure} {currency}".strip()
    return _hours(value) if cap == "hours" else f"{value:,.0f} {cap}"


def _hours(value: float) -> str:
    if value >= 1 or not value:
        return f"{value:.3g} h"
    return f"{60 * value:.2g} min" if value >= 1 / 60 else f"{3600 * value:.2g} s"


def caps_of(caps: Caps) -> dict[str, float]:
    """Those that are set."""
    return {name: float(value) for name, value in caps.model_dump(exclude_none=True).items()}


def chain_end(reason: str, config: RunConfig) -> str:
    """What a chain's stop reason says to people."""
    rule, attempts = config.early_stop, config.attempts
    texts = {
        early_stop.INVALID: f"went nowhere: {rule.invalid} invalid proposals in a row",
        early_stop.UNSOLVED: f"went nowhere: {rule.unmoved} turns at 0 of {attempts}",
        early_stop.SOLVED: f"went nowhere: {rule.unmoved} turns at {attempts} of {attempts}",
        GOAL_MET: "not started: the goal was met",
    }
    if reason.startswith("cap_"):
        return f"stopped at the run's cap on {reason.removeprefix('cap_')}"
    return texts.get(reason, reason.replace("_", " "))
