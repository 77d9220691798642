"""What a killed lane asks its models for again: the stage that each of its chains was in, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest

from app.config import settings
from tests.faults.storms import shake, worker
from tests.support import refining
from tests.support.ports import own_port

KILLS = int(os.environ.get("FAULT_KILLS", "10"))
LANES = 2


@contextmanager
def _mock_server(port: int) -> Iterator[str]:
    """A model's; its address."""
    command = [sys.executable, "-m", "bench.mock_openai", "--port", str(port), "--slots", "64", "--token-s", "0.0002"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _stats(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/stats") as response:  # noqa: S310 - our own
        return json.load(response)


@pytest.mark.slow
@pytest.mark.usefixtures("database", "broker")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("places", [1, 4])
def test_a_killed_lane_repeats_no_more_than_the_stages_it_was_in(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    """Every request has a seed of its own, by which a repeated one is known."""
    monkeypatch.setattr(settings(), "worker_processes", LANES)
    actor, moments = refining.owner_with_seeds(20), Random(places)
    left = KILLS
    with ExitStack() as stack:
        urls = [stack.enter_context(_mock_server(own_port())) for _ in range(2)]
        options = [{"base_url": f"{url}/v1", "model": "mock", "concurrency": places} for url in urls]
        teacher, student = ({"engine": "openai", "options": told} for told in options)
        at_work = stack.enter_context(worker(environment | {"CAIRN_LANE_CHAINS": "1"}, tmp_path))
        runs = []
        while left:
            run_id = refining.start(
                actor, environments=["deduction"], turns=6, teacher=teacher, student=student, seed=len(runs)
            )
            runs.append(run_id)
            left -= shake(run_id, at_work, left, at_work.kill, moments)
            report = refining.check(run_id)
            assert (report.state, report.problems) == ("finished", ())
        asked = [_stats(url) for url in urls]
    repeated = sum(stats["repeated"] for stats in asked)
    turns = sum(refining.summary(run_id).main.proposals for run_id in runs)
    print(f"{KILLS} kills, {turns} turns, {repeated} of {sum(stats['requests'] for stats in asked)} requests repeated")
    assert asked[0]["requests"] - asked[0]["repeated"] == turns
    # Each lane had at most so many requests under way at either model.
    assert repeated <= KILLS * LANES * 2 * places
