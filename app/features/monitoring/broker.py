"""The broker: whether it answers, and what waits in it."""

from __future__ import annotations

from app.events import client
from app.jobs import sender


def messages() -> int:
    """Those that no worker has taken yet. Raises redis.RedisError, ValueError or Unavailable without a broker."""
    return int(client().llen(sender().conf.task_default_queue))
