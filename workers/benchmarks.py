"""Tasks of benchmarks: each calls one service."""

from __future__ import annotations

from app.features.benchmarks import service
from app.jobs import CHECK
from workers import shutdown
from workers.celery_app import app


@app.task(name=CHECK)
def check_run(run_id: int) -> None:
    service.drive_check(run_id, shutdown.requested)
