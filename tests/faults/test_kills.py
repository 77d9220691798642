"""A worker killed with SIGKILL at random moments changes no result and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psutil
import pytest

from app.config import settings
from app.db import unit_of_work
from app.features.growths import service as growths
from app.features.growths.schemas import Request
from app.models import Variant
from tests.support import refining

# Fast leases, so that a killed lane's chains are free within seconds.
FAST = {
    "CAIRN_LEASE_S": "2",
    "CAIRN_HEARTBEAT_S": "0.5",
    "CAIRN_CONTROL_S": "0.1",
    "CAIRN_WORKER_PROCESSES": "2",
}


@contextmanager
def _worker(variables: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "celery", "-A", "workers.celery_app", "worker", "--concurrency", "2", "--beat"]
    command += [
        "--schedule",
        str(log.with_suffix(".beat")),
        "--loglevel",
        "INFO",
        "--without-gossip",
        "--without-mingle",
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def _gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def _proposals(run_id: int) -> int:
    summary = refining.summary(run_id)
    return summary.main.proposals + summary.asked.proposals


def _run_with_kills(environment: dict[str, str], tmp_path: Path, run_id: int, kills: int, moments: Random) -> int:
    """Drives the run to its end, with a worker that is killed `kills` times at most; returns how often it was."""
    variables = os.environ | environment | FAST | {"CAIRN_RECONCILE_S": "1"}
    done = 0
    while done < kills and refining.state(run_id) == "running":
        with _worker(variables, tmp_path / "worker.log") as process:
            before = _proposals(run_id)
            refining.wait_until(
                lambda before=before: _proposals(run_id) > before or refining.state(run_id) != "running",
                "a worker that makes progress",
            )
            time.sleep(moments.uniform(0, 1))
            done += refining.state(run_id) == "running"
            left = _descendants(process)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            refining.wait_until(lambda left=left: _gone(left), "the sandboxes of a killed worker to end")
    with _worker(variables, tmp_path / "worker.log"):
        refining.wait_until(lambda: refining.state(run_id) != "running", "the run to end after the kills")
    return done


def _compare(environment: dict[str, str], tmp_path: Path, kills: int, seeds_in_set: int = 3, **config: object) -> None:
    """As many runs as it takes for `kills` kills, which on a fast machine do not fit into one."""
    actor = refining.owner_with_seeds(seeds_in_set)
    calm = refining.start(actor, **config)
    while refining.drive(calm):
        pass
    moments = Random(kills)
    while kills:
        shaken = refining.start(actor, **config)
        kills -= _run_with_kills(environment, tmp_path, shaken, kills, moments)
        report = refining.check(shaken)
        assert (report.state, report.problems) == ("finished", ())
        assert report.digest == refining.check(calm).digest


@pytest.mark.usefixtures("database", "broker")
def test_two_kills_change_no_result(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 2)
    _compare(environment, tmp_path, kills=2)


@pytest.mark.usefixtures("database", "broker")
def test_kills_move_neither_where_a_goal_is_met_nor_where_chains_give_up(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 2)
    monkeypatch.setattr(settings(), "lane_chains", 1)
    limits = {"until": {"usable": 2, "bins": ["medium"]}, "early_stop": {"invalid": 2, "unmoved": 2}}
    _compare(environment | {"CAIRN_LANE_CHAINS": "1"}, tmp_path, kills=2, seeds_in_set=12, **limits)


@pytest.mark.usefixtures("database", "broker")
def test_kills_in_the_middle_of_asked_for_branches_change_no_result(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is shaken while it grows what was asked for, the other one is not."""
    monkeypatch.setattr(settings(), "worker_processes", 2)
    actor = refining.owner_with_seeds(1)

    def asked_for() -> int:
        run_id = refining.start(actor, environments=["deduction"])
        while refining.drive(run_id):
            pass
        with unit_of_work() as session:
            origin = session.query(Variant).where(Variant.run_id == run_id, Variant.turn == 1).one()
            direction = "repair" if origin.invalid_code else "harder"
            growths.grow(session, actor, origin.id, Request(direction=direction, children=3, turns=3))
        return run_id

    calm = asked_for()
    while refining.drive(calm):
        pass
    moments, kills = Random(3), 2
    while kills:
        shaken = asked_for()
        kills -= _run_with_kills(environment, tmp_path, shaken, kills, moments)
        report = refining.check(shaken)
        assert (report.state, report.problems) == ("finished", ())
        assert report.digest == refining.check(calm).digest
        assert refining.summary(shaken).asked == refining.summary(calm).asked


@pytest.mark.slow
@pytest.mark.usefixtures("database", "broker")
def test_ten_kills_change_no_result(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 2)
    environments = ["deduction", "abduction", "fuzzing", "induction"]
    _compare(environment, tmp_path, kills=10, environments=environments, turns=6, attempts=16)
