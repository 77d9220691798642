"""The figures of a whole installation, all workspaces together: for those who keep it running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.features.runs.usage import StageSum


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What one run has come to. The counts only ever grow, but those of open chains."""

    chains: Sequence[tuple[str, str, str, int]]  # arm, state, stop reason, number
    stages: Sequence[StageSum]
    verdicts: Sequence[tuple[str, str, int]]  # arm, verdict, number


@dataclass(frozen=True, slots=True)
class RunGauge:
    """A run that is not over."""

    run_id: int
    state: str
    turns_done: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Installation:
    """`open_runs` are the newest of those that are not over."""

    runs: Sequence[tuple[str, int]]  # state, number
    troubled: int
    open_runs: Sequence[RunGauge]
    lanes: Sequence[tuple[str, int]]  # isolation of the lane, number of live ones
    free_slots: int  # of running runs, without a live lane
    incidents: Sequence[tuple[str, str, int]]  # stage, kind, number
    totals: RunTotals
