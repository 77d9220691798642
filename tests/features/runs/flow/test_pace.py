"""The rules by which a lane asks for more or less, and that lanes come to equal shares."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.ports import Load
from app.features.runs.flow.pace import Answers, Change, Pace, by_load

IDLE = Load(running=0, waiting=0, cache=0.0, preempted=0)


@pytest.mark.parametrize(
    ("load", "change"),
    [
        (Load(running=32, waiting=0, cache=0.1, preempted=0), Change.DOUBLE),
        (Load(running=64, waiting=1, cache=0.3, preempted=0), Change.GROW),
        (Load(running=64, waiting=0, cache=0.5, preempted=0), Change.GROW),
        (Load(running=64, waiting=32, cache=0.3, preempted=0), Change.GROW),
        (Load(running=64, waiting=33, cache=0.3, preempted=0), Change.DRAIN),
        (Load(running=64, waiting=0, cache=0.7, preempted=0), Change.GROW),
        (Load(running=64, waiting=1, cache=0.7, preempted=0), Change.HOLD),
        (Load(running=64, waiting=0, cache=0.85, preempted=0), Change.DRAIN),
        (Load(running=64, waiting=0, cache=0.3, preempted=1), Change.CUT),
    ],
)
def test_what_metrics_ask_for(load: Load, change: Change) -> None:
    assert by_load(load, IDLE) is change


def test_a_preemption_counts_once() -> None:
    before = Load(running=60, waiting=0, cache=0.3, preempted=7)
    assert by_load(Load(running=64, waiting=0, cache=0.3, preempted=7), before) is Change.DOUBLE


def test_a_server_that_stands_still_has_not_seen_yet_what_was_sent() -> None:
    load = Load(running=488, waiting=0, cache=0.1, preempted=0, generated=10_732)
    assert by_load(load, load) is Change.HOLD
    assert by_load(replace(load, generated=11_220), load) is Change.DOUBLE


def test_without_metrics_each_round_of_good_answers_allows_more_and_twice_as_much_until_the_first_refusal() -> None:
    def answer(times: int) -> None:
        for _ in range(times):
            answers.answered(10.0, 100.0)

    answers = Answers()
    assert answers.look(4) is Change.HOLD
    answer(4)
    assert answers.look(4) is Change.DOUBLE
    assert answers.look(4) is Change.HOLD
    answer(4)
    assert answers.look(4) is Change.DOUBLE
    answers.overloaded += 1
    assert answers.look(4) is Change.CUT
    answer(4)
    assert answers.look(4) is Change.GROW


def test_without_metrics_slow_tokens_ask_for_less() -> None:
    answers = Answers()
    for _ in range(50):
        answers.answered(1.0, 100.0)
    assert answers.look(1) is Change.DOUBLE
    for _ in range(50):
        answers.answered(4.0, 100.0)
    assert answers.look(1) is Change.DRAIN


def test_at_its_ceiling_it_is_settled() -> None:
    pace = Pace(limit=64, step=32, ceiling=128)
    pace.turn(Change.DOUBLE, 64, full=True)
    assert (pace.limit, pace.settling) == (128, False)
    pace = Pace(limit=128, step=32, ceiling=128)
    pace.turn(Change.DOUBLE, 128, full=True)
    assert not pace.settling


def test_it_goes_step_by_step_and_doubles_where_that_is_called_for() -> None:
    pace = Pace(limit=64, step=32, ceiling=1000)
    pace.turn(Change.DOUBLE, 64, full=True)
    pace.turn(Change.DOUBLE, 100, full=False)
    assert (pace.limit, pace.settling) == (128, True)
    pace.turn(Change.DRAIN, 128, full=True)
    pace.turn(Change.DRAIN, 128, full=True)  # the first has not taken effect yet
    assert (pace.limit, pace.settling) == (115, False)
    pace.turn(Change.GROW, 115, full=True)
    assert (pace.limit, pace.settling) == (147, False)
    pace.turn(Change.DOUBLE, 147, full=True)
    assert (pace.limit, pace.settling) == (294, True)
    pace.turn(Change.DOUBLE, 200, full=False)
    pace.turn(Change.CUT, 200, full=False)
    assert (pace.limit, pace.settling) == (205, False)
    for _ in range(100):
        pace.turn(Change.GROW, pace.limit, full=True)
    assert pace.limit == 1000
    for _ in range(100):
        pace.turn(Change.CUT, 0, full=True)
    assert pace.limit == 32


def test_lanes_that_start_unequal_come_to_equal_shares_of_a_server() -> None:
    """Four lanes, one of which was there first; a server that runs 512 sequences at once."""
    lanes = [Pace(limit=700, step=32, ceiling=4096)] + [Pace(limit=64, step=32, ceiling=4096) for _ in range(3)]
    for _ in range(300):
        asked = sum(lane.limit for lane in lanes)
        running = min(512, asked)
        change = by_load(Load(running, asked - running, cache=0.4, preempted=0), IDLE)
        for lane in lanes:
            lane.turn(change, lane.limit, full=True)
    limits = [lane.limit for lane in lanes]
    assert max(limits) < 1.5 * min(limits)
    assert 512 <= sum(limits) < 512 * 2
