"""What waits for a decision, in which order, and approving many at once."""

from __future__ import annotations

from typing import Any

import pytest

from app.db import unit_of_work
from app.errors import InvalidInput, NotFound
from app.features.chains.filters import VariantFilter
from app.features.review import queue, service
from app.features.review.schemas import MOST_PICKS, Pick, QueuePlace
from tests.features.review.conftest import Team
from tests.support import builders

USABLE = ["2.1", "3.1", "5.1", "3.2", "6.1"]  # in preorder; 1.1 is always solved, 4.1 invalid


def place(team: Team, after: str = "", **wanted: Any) -> QueuePlace:
    with unit_of_work() as session:
        start = team.variants[after] if after else None
        return queue.next_in_queue(session, team.ada, team.run_id, VariantFilter(**wanted), start)


def decide(team: Team, at: str) -> None:
    with unit_of_work() as session:
        service.decide(session, team.ada, team.variants[at], team.approval(at))


def test_goes_through_the_usable_ones_in_the_order_of_the_tree(team: Team) -> None:
    met, after = [], ""
    while (found := place(team, after)).variant_id and not found.wrapped:
        after = next(key for key, value in team.variants.items() if value == found.variant_id)
        met.append(after)
    assert met == USABLE
    assert found.wrapped
    assert found.variant_id == team.variants["2.1"]


def test_what_is_decided_is_left_out_and_counted(team: Team) -> None:
    decide(team, "2.1")
    found = place(team)
    assert (found.variant_id, found.waiting, found.total) == (team.variants["3.1"], 4, 5)
    assert place(team, "2.1").variant_id == team.variants["3.1"]
    for at in USABLE[1:]:
        decide(team, at)
    done = place(team, "6.1")
    assert (done.variant_id, done.waiting, done.waiting_unfiltered, done.total) == (None, 0, 0, 5)


def test_a_filter_that_hides_what_waits_is_told_apart_from_being_done(team: Team) -> None:
    hidden = place(team, environment="fuzzing")
    assert (hidden.variant_id, hidden.total, hidden.waiting_unfiltered) == (None, 0, 5)


def test_runs_say_how_much_waits(team: Team) -> None:
    decide(team, "2.1")
    with unit_of_work() as session:
        (run,) = queue.queue_runs(session, team.ada)
        assert (run.usable, run.waiting, run.approved, run.rejected) == (5, 4, 1, 0)
        assert queue.queue_runs(session, builders.owner(session, "Eve")) == []


def test_my_last_decisions_say_who_voted_since(team: Team) -> None:
    decide(team, "2.1")
    decide(team, "3.1")
    with unit_of_work() as session:
        service.decide(session, team.grace, team.variants["2.1"], team.approval("2.1"))
    with unit_of_work() as session:
        newest, oldest = queue.recent(session, team.ada)
    assert (newest.place, newest.with_others) == ("3.1", [])
    assert (oldest.place, oldest.with_others) == ("2.1", ["Grace approved it too"])


# --- many at once ---


def picks(team: Team, *places: str) -> list[Pick]:
    with unit_of_work() as session:
        found = service.candidates(session, team.ada, team.run_id, [team.variants[at] for at in places])
        return [candidate.pick for candidate in found]


def test_candidates_say_beforehand_which_can_be_approved(team: Team) -> None:
    decide(team, "2.1")
    with unit_of_work() as session:
        found = service.candidates(session, team.ada, team.run_id, list(team.variants.values()))
    assert [c.row.place for c in found if not c.obstacle] == ["1.1", "3.1", "5.1", "3.2", "6.1"]
    told = {c.row.place: c.obstacle for c in found if c.obstacle}
    assert told["2.1"] == "It is approved already."
    assert "invalid" in told["4.1"]


def test_all_that_still_are_as_seen_get_approved(team: Team) -> None:
    chosen = picks(team, "2.1", "3.1", "3.2")
    with unit_of_work() as session:
        service.decide(session, team.grace, team.variants["3.1"], team.rejection("3.1", "unclear"))
    with unit_of_work() as session:
        outcome = service.approve_all(session, team.ada, chosen)
    assert (outcome.approved, outcome.repeated, len(outcome.left_out)) == (2, 0, 1)
    assert "Grace rejected 3.1" in outcome.message
    with unit_of_work() as session:
        again = service.approve_all(session, team.ada, chosen)
    assert (again.approved, again.repeated) == (0, 2)
    assert place(team).waiting == 2


def test_a_pick_reads_back_as_it_is_written() -> None:
    pick = Pick(variant_id=3, seen=9, content_hash="sha256:ab")
    assert Pick.parse(str(pick)) == pick


def test_nothing_too_much_and_foreign_picks_are_refused(team: Team) -> None:
    with unit_of_work() as session, pytest.raises(InvalidInput, match="No variant"):
        service.approve_all(session, team.ada, [])
    with unit_of_work() as session, pytest.raises(InvalidInput, match="At most"):
        service.candidates(session, team.ada, team.run_id, list(range(MOST_PICKS + 1)))
    chosen = picks(team, "2.1")
    with unit_of_work() as session, pytest.raises(NotFound):
        service.approve_all(session, builders.owner(session, "Eve"), chosen)
