"""Storms of faults over runs that grow with a real worker, and the calm run that their results are compared with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psutil

from tests.support import refining

# Fast leases, so that a killed lane's chains are free within seconds.
FAST = {
    "CAIRN_LEASE_S": "2",
    "CAIRN_HEARTBEAT_S": "0.5",
    "CAIRN_CONTROL_S": "0.1",
    "CAIRN_RECONCILE_S": "1",
    "CAIRN_WORKER_PROCESSES": "2",
}
_OPTIONS = ("--concurrency", "2", "--beat", "--loglevel", "INFO", "--without-gossip", "--without-mingle")


class Worker:
    """A Celery worker with its pool, their sandboxes and beat, started anew when it is gone."""

    def __init__(self, variables: Mapping[str, str], folder: Path, application: str) -> None:
        self._variables = {**os.environ, **variables, **FAST}
        self._folder = folder
        self._command = [sys.executable, "-m", "celery", "-A", application, "worker", *_OPTIONS]
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        if self._process is None or self._process.poll() is not None:
            command = [*self._command, "--schedule", str(self._folder / "beat")]
            with (self._folder / "worker.log").open("ab") as log:
                self._process = subprocess.Popen(
                    command, env=self._variables, stdout=log, stderr=log, start_new_session=True
                )

    def tree(self) -> list[psutil.Process]:
        """Itself first."""
        if self._process is None:
            return []
        try:
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def end(self, number: int) -> int:
        """Its exit status once a signal has ended it and its processes. Raises AssertionError where that does not."""
        if self._process is None:
            raise AssertionError("no worker was started")
        left = self.tree()
        self._process.send_signal(number)
        refining.wait_until(lambda: _gone(left), "a worker and its processes to end")
        return self._process.wait()

    def kill(self) -> None:
        """All of it at once. Raises AssertionError where something outlives it."""
        left = self.tree()
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        refining.wait_until(lambda: _gone(left), "the processes of a killed worker to end")

    def kill_one(self, victim: psutil.Process) -> None:
        """That process alone. What it leaves behind ends by itself."""
        left = [victim]
        try:
            left += victim.children(recursive=True)
            victim.kill()
        except psutil.NoSuchProcess:
            return
        if self._process is not None and victim.pid == self._process.pid:
            self._process.wait()
        refining.wait_until(lambda: _gone(left), "what a killed process started to end")


def _gone(processes: list[psutil.Process]) -> bool:
    def over(process: psutil.Process) -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(map(over, processes))


@contextmanager
def worker(variables: Mapping[str, str], folder: Path, application: str = "workers.celery_app") -> Iterator[Worker]:
    running = Worker(variables, folder, application)
    try:
        yield running
    finally:
        running.kill()


def proposals(run_id: int) -> int:
    summary = refining.summary(run_id)
    return summary.main.proposals + summary.asked.proposals


def shake(run_id: int, at_work: Worker, faults: int, fault: Callable[[], None], moments: Random) -> int:
    """Lets the run grow to its end, with a fault after each progress, `faults` at most; returns how many there were.

    Raises AssertionError where the run does not go on after one.
    """
    done, slowest, before = 0, 0.0, 0

    def goes_on() -> bool:
        at_work.ensure()
        return proposals(run_id) > before or refining.state(run_id) != "running"

    while refining.state(run_id) == "running":
        before, began = proposals(run_id), time.monotonic()
        refining.wait_until(goes_on, "progress")
        slowest = max(slowest, time.monotonic() - began)
        if done < faults:
            time.sleep(moments.uniform(0, 1))
            done += refining.state(run_id) == "running"
            fault()
    print(
        f"run {run_id}: {done} faults, {proposals(run_id)} turns, {slowest:.1f} s at most until it went on", flush=True
    )
    return done


def same_as_calm(calm: int, shaken: int) -> None:
    report = refining.check(shaken)
    assert (report.state, report.problems) == ("finished", ())
    assert report.digest == refining.check(calm).digest


def storm(at_work: Worker, faults: int, fault: Callable[[], None], seeds: int = 0, **config: object) -> None:
    """As many runs as it takes for all `faults`, which on a fast machine do not fit into one."""
    actor = refining.owner_with_seeds(seeds or max(3, min(faults // 4, 125)))
    calm = refining.start(actor, **config)
    while refining.drive(calm):
        pass
    moments = Random(faults)
    while faults:
        shaken = refining.start(actor, **config)
        faults -= shake(shaken, at_work, faults, fault, moments)
        same_as_calm(calm, shaken)
