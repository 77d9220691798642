"""Processes killed with SIGKILL at random moments change no result and leave no process behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

import pytest

from app.config import settings
from app.db import unit_of_work
from app.features.growths import service as growths
from app.features.growths.schemas import Request
from app.models import Chain, LaneSlot, Variant
from tests.faults import breakable
from tests.faults.storms import proposals, same_as_calm, shake, storm, worker
from tests.support import refining

KILLS = int(os.environ.get("FAULT_KILLS", "10"))


@pytest.fixture(autouse=True)
def two_lanes(database: str, broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 2)


def test_nothing_outlives_a_worker_whose_main_process_is_killed(environment: dict[str, str], tmp_path: Path) -> None:
    """Beat is one of its processes here, besides the two that drive lanes."""
    with worker(environment, tmp_path) as at_work:
        at_work.ensure()
        refining.wait_until(lambda: len(at_work.tree()) >= 4, "a worker to start its processes")
        at_work.kill_one(at_work.tree()[0])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (breakable.BREAK, 1)])
def test_a_worker_that_ends_gives_its_chains_back(
    environment: dict[str, str], tmp_path: Path, number: int, status: int
) -> None:
    """Also after an error that Celery has no answer to."""
    run_id = refining.start(refining.owner_with_seeds(20))
    with worker(environment, tmp_path, breakable.__name__) as at_work:
        at_work.ensure()
        refining.wait_until(lambda: proposals(run_id) > 0, "progress")
        assert at_work.end(number) == status
    assert refining.state(run_id) == "running"
    with unit_of_work() as session:
        assert session.query(Chain).where(Chain.epoch > 0, Chain.state == "open").count() > 0
        assert session.query(Chain).where(Chain.owner.is_not(None)).count() == 0
        assert session.query(LaneSlot).where(LaneSlot.owner.is_not(None)).count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, breakable.BREAK])
def test_a_worker_ends_though_its_lanes_are_stuck(environment: dict[str, str], tmp_path: Path, number: int) -> None:
    run_id = refining.start(refining.owner_with_seeds(20))
    with worker(environment, tmp_path, breakable.__name__) as at_work:
        at_work.ensure()
        refining.wait_until(lambda: proposals(run_id) > 0, "progress")
        main, *_ = at_work.tree()
        for process in main.children():
            process.suspend()
        assert at_work.end(number) == -signal.SIGALRM
        assert refining.state(run_id) == "running"
        at_work.ensure()
        refining.wait_until(lambda: refining.state(run_id) == "finished", "the run to go on to its end")
    assert refining.check(run_id).problems == ()


def test_two_kills_change_no_result(environment: dict[str, str], tmp_path: Path) -> None:
    with worker(environment, tmp_path) as at_work:
        storm(at_work, 2, at_work.kill)


@pytest.mark.slow
def test_kills_move_neither_where_a_goal_is_met_nor_where_chains_give_up(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "lane_chains", 1)
    limits = {"until": {"usable": 2, "bins": ["medium"]}, "early_stop": {"invalid": 2, "unmoved": 2}}
    with worker(environment | {"CAIRN_LANE_CHAINS": "1"}, tmp_path) as at_work:
        storm(at_work, 2, at_work.kill, seeds=12, **limits)


@pytest.mark.slow
def test_kills_in_the_middle_of_asked_for_branches_change_no_result(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """One run is shaken while it grows what was asked for, the other one is not."""
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
    with worker(environment, tmp_path) as at_work:
        while kills:
            shaken = asked_for()
            kills -= shake(shaken, at_work, kills, at_work.kill, moments)
            same_as_calm(calm, shaken)
            assert refining.summary(shaken).asked == refining.summary(calm).asked


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_kills_of_any_process_change_no_result(environment: dict[str, str], tmp_path: Path) -> None:
    """The worker, one of its pool, an interpreter of a sandbox, beat: one of them, or every second time all."""
    moments = Random(KILLS)
    environments = ["deduction", "abduction", "fuzzing", "induction"]
    with worker(environment, tmp_path) as at_work:

        def kill() -> None:
            tree = at_work.tree()
            if moments.random() < 0.5 or not tree:
                at_work.kill()
            else:
                at_work.kill_one(moments.choice(tree))

        storm(at_work, KILLS, kill, environments=environments, turns=6, attempts=8, baseline=True)
