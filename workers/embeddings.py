"""The task of embeddings."""

from __future__ import annotations

from app.features.embeddings import lane
from app.jobs import EMBED, send
from workers import shutdown
from workers.celery_app import app


@app.task(name=EMBED)
def embed_run(run_id: int) -> None:
    if lane.drive(run_id, shutdown.requested):
        send(EMBED, run_id)
