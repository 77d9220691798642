"""What an installation has done and does now, at the cost of the runs that are not over.

A run that is over changes no more, so that its totals are read once and kept in this process. They are sums of rows:
every process that serves the web tells the same.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock

from app.db import Session
from app.features.monitoring import queries
from app.features.monitoring.queries import RunKey
from app.features.monitoring.schemas import Installation, RunTotals
from app.features.runs.usage import StageSum, added

_lock = Lock()
_over: dict[RunKey, RunTotals] = {}


def installation(session: Session) -> Installation:
    """Nine queries, and after the first time none that reads rows of runs that are over."""
    keys = queries.run_keys(session)
    return Installation(
        runs=sorted(Counter(key.state for key in keys).items()),
        troubled=queries.troubled(session),
        open_runs=queries.open_runs(session),
        lanes=queries.live_lanes(session),
        free_slots=queries.free_slots(session),
        incidents=queries.incidents(session),
        totals=_summed(_totals(session, keys)),
    )


def _totals(session: Session, keys: list[RunKey]) -> list[RunTotals]:
    with _lock:
        kept = {key: _over[key] for key in keys if key in _over}
    read = queries.totals(session, [key.run_id for key in keys if key not in kept])
    found = {key: kept.get(key) or read[key.run_id] for key in keys}
    with _lock:
        _over.clear()  # of what is gone
        _over.update({key: totals for key, totals in found.items() if key.is_over})
    return list(found.values())


def _summed(totals: list[RunTotals]) -> RunTotals:
    chains = Counter[tuple[str, str, str]]()
    verdicts = Counter[tuple[str, str]]()
    stages: dict[tuple[str, str], StageSum] = {}
    for one in totals:
        for arm, state, reason, count in one.chains:
            chains[arm, state, reason] += count
        for arm, verdict, count in one.verdicts:
            verdicts[arm, verdict] += count
        for stage in one.stages:
            at = (stage.arm, stage.stage)
            stages[at] = added(stages[at], stage) if at in stages else stage
    return RunTotals(
        chains=[(*key, count) for key, count in sorted(chains.items())],
        stages=[stages[key] for key in sorted(stages)],
        verdicts=[(*key, count) for key, count in sorted(verdicts.items())],
    )
