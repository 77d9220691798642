"""Tasks of runs: each calls one service."""

from __future__ import annotations

from app.features.runs import lane, reconcile
from app.jobs import LANE, RECONCILE, send
from workers import shutdown
from workers.celery_app import app


@app.task(name=LANE)
def drive_lane(run_id: int) -> None:
    if lane.drive(run_id, shutdown.requested):
        send(LANE, run_id)


@app.task(name=RECONCILE)
def reconcile_runs() -> None:
    reconcile.reconcile()
