"""The names of background jobs, and `enqueue`: a message leaves only after the commit, and holds ids and nothing else.

Messages may be lost, repeated or late; every job finds out from the database what there is to do.
"""

from __future__ import annotations

from functools import lru_cache

from celery import Celery

from app.config import settings
from app.db import Session, after_commit
from app.errors import Unavailable

CHECK = "benchmarks.check"
EMBED = "embeddings.lane"
LANE = "runs.lane"
RECONCILE = "runs.reconcile"
REMEASURE = "remeasurements.lane"


@lru_cache
def sender() -> Celery:
    """A Celery application that only sends; the workers have their own."""
    url = settings().redis_url
    if not url:
        raise Unavailable("No broker is configured.", remedy="Set REDIS_URL, or start with `cairn up`.")
    app = Celery("cairn-sender", broker=url)
    app.conf.update(
        broker_connection_timeout=2,
        broker_transport_options={"socket_connect_timeout": 2, "socket_timeout": 5},
        task_serializer="json",
        task_ignore_result=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
    )
    return app


def send(name: str, *ids: int) -> None:
    sender().send_task(name, args=list(ids))


def enqueue(session: Session, name: str, *ids: int) -> None:
    """Sends the job when `session`'s unit of work has been committed."""
    after_commit(session, lambda: send(name, *ids))
