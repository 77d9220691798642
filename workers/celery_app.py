"""The Celery application of the workers. Messages hold ids; every state lives in PostgreSQL (docs/architecture.md)."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from typing import Any

from celery import Celery, bootsteps, signals

from app.config import settings
from app.errors import AppError
from app.isolation import probe, suffices
from app.jobs import RECONCILE
from app.local import launch
from workers import shutdown

_WORKER = os.getpid()  # of the process that imports this; those of its pool are forks
_FILES = 65536
_ENDING_S = 20  # lanes give their chains back within a few seconds
_TASKS = ["workers.benchmarks", "workers.embeddings", "workers.remeasurements", "workers.runs"]

app = Celery("cairn", broker=settings().redis_url or "", include=_TASKS)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # A lane may last longer than this, and its message then comes again: that costs nothing, since it finds no
        # free slot. A lane whose worker is gone is missed by the reconciler long before.
        "visibility_timeout": 3600,
        "unacked_restore_interval": 10,
    },
    beat_schedule={
        "reconcile": {"task": RECONCILE, "schedule": settings().reconcile_s, "options": {"expires": 60}},
    },
)


@signals.worker_init.connect
def _refuse_weak_isolation(**_: object) -> None:
    """A worker that can't isolate what models write must not start: it would have nothing to judge with."""
    try:
        isolation, layers = asyncio.run(probe())
    except AppError as error:
        sys.exit(f"cairn worker: {error}")
    if not suffices(isolation):
        missing = " ".join(f"{layer.name}: {layer.obstacle} {layer.remedy}" for layer in layers if layer.obstacle)
        sys.exit(
            f"cairn worker: this machine isolates at level {isolation.value!r}, and CAIRN_MINIMUM_ISOLATION demands "
            f"{settings().minimum_isolation!r}. {missing}"
        )


@signals.worker_process_init.connect
@signals.beat_embedded_init.connect
def _end_with_worker(**_: object) -> None:
    """What a worker forked would wait for work, or tick, for ever once the worker was killed."""
    launch.end_with_parent(signal.SIGKILL, _WORKER)


@signals.worker_process_init.connect
def _allow_many_connections(**_: object) -> None:
    """A lane has one for each request under way; many systems allow a process 1024 files unless it asks for more."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if resource.RLIM_INFINITY != now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@signals.worker_shutting_down.connect
def _end_in_time(**_: object) -> None:
    """Lanes give their chains back, and the kernel ends what Celery leaves: it may wait for its pool for ever."""
    shutdown.request()
    signal.alarm(_ENDING_S)


class _End(bootsteps.StartStopStep):
    """Celery sends no signal where it gives up because of an error in its loop; and nobody would start another worker
    as long as this one is there."""

    def close(self, parent: Any) -> None:  # noqa: ARG002 - Celery is untyped
        _end_in_time()


app.steps["worker"].add(_End)


@signals.worker_ready.connect
def _look_for_stalled_runs(sender: object, **_: object) -> None:  # noqa: ARG001
    """A restarted worker takes up interrupted runs at once rather than at the next tick."""
    app.send_task(RECONCILE)
