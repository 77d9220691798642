"""The task of remeasurements."""

from __future__ import annotations

from app.features.remeasurements import lane
from app.jobs import REMEASURE, send
from workers import shutdown
from workers.celery_app import app


@app.task(name=REMEASURE)
def drive_remeasurement(remeasurement_id: int) -> None:
    if lane.drive(remeasurement_id, shutdown.requested):
        send(REMEASURE, remeasurement_id)
