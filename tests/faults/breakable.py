"""The Celery application of the workers, whose main process meets an error that it has no answer to when told to."""

from __future__ import annotations

import signal
from typing import Any

from celery import bootsteps

from workers.celery_app import app

BREAK = signal.SIGUSR2


class _Breakable(bootsteps.StartStopStep):
    """In the consumer's loop, where a broker that is lost again just after its return leads to one."""

    requires = {"celery.worker.consumer.tasks:Tasks"}

    def start(self, parent: Any) -> None:
        def fail() -> None:
            raise AttributeError("broken by a test")

        signal.signal(BREAK, lambda *_: parent.hub.call_soon(fail))


app.steps["consumer"].add(_Breakable)
