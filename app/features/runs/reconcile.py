"""Finds runs, remeasurements, embeddings and checks that nobody drives, whatever was lost on the way."""

from __future__ import annotations

from app.db import unit_of_work
from app.features.benchmarks import checks
from app.features.runs import queries, waiting
from app.jobs import CHECK, EMBED, LANE, REMEASURE, enqueue


def reconcile() -> int:
    """The number of lanes sent. Two at once do no harm: a lane without a free slot ends at once."""
    with unit_of_work() as session:
        stalled = waiting.runs(session)
        for run_id, count in stalled:
            for _ in range(count):
                enqueue(session, LANE, run_id)
        measuring = waiting.remeasurements(session)
        for remeasurement_id in measuring:
            enqueue(session, REMEASURE, remeasurement_id)
        for run_id in waiting.embeddings(session):
            enqueue(session, EMBED, run_id)
        for run_id in checks.waiting(session):
            enqueue(session, CHECK, run_id)
        queries.forget_old_events(session)
    return sum(count for _, count in stalled) + len(measuring)
