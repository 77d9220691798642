"""Branches that people ask for, grown by a lane of this process with the procedural engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text, update

from app.db import complete, unit_of_work
from app.domain.actor import Actor
from app.errors import Conflict
from app.features.growths import service
from app.features.runs import claims
from app.features.runs import service as runs
from app.models import AuditEvent, Chain, Growth, Variant
from tests.features.growths.conftest import Grow, valid, variants
from tests.support import refining

PAST = text("now() - interval '1 second'")
ONE = {"environments": ["deduction"]}


def _after(looks: int) -> Callable[[], bool]:
    """Stops a lane at the given look at whether it should."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


def test_children_and_further_turns_grow_from_the_variant_that_was_chosen(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    before = refining.summary(run_id)
    origin = valid(run_id)
    outcome = grow(origin, direction="easier", instruction="Use shorter lists.", children=3, turns=2)
    assert "The run is finished: it runs again for these branches alone" in outcome.message
    assert refining.state(run_id) == "running"
    assert refining.drive(run_id) is False
    report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    grown = variants(run_id, asked=True)
    children = [variant for variant in grown if variant.parent_id == origin.id]
    assert [(v.turn, v.branch, v.direction) for v in children if v.turn == origin.turn + 1] == [
        (origin.turn + 1, branch, "easier") for branch in (2, 3, 4)
    ]
    assert {v.branch for v in grown} == {2, 3, 4}
    assert {v.turn - origin.turn for v in grown} == {1, 2}
    assert all(v.path.startswith(f"{origin.path}/") for v in grown)
    after = refining.summary(run_id)
    assert (after.main, after.seconds) == (before.main, before.seconds), "no figure of the run itself has moved"
    assert (after.asked.requests, after.asked.open, after.asked.proposals) == (1, 0, len(grown))
    with unit_of_work() as session:
        root = session.get_one(Variant, origin.id)
        assert root.subtree == 1 + sum(v.path.startswith(f"{origin.path}/") for v in variants(run_id))


def test_the_same_requests_give_the_same_branches_whenever_they_come(ada: Actor, grow: Grow) -> None:
    """After the run, in the middle of it, and with a lane that is stopped again and again."""
    asked = {"children": 2, "turns": 2}
    calm, busy = (refining.start(ada, **ONE) for _ in range(2))
    refining.drive(calm)
    grow(valid(calm), **asked)
    refining.drive(calm)
    refining.drive(busy, lambda: any(v.stage == "done" for v in variants(busy)))
    assert refining.state(busy) == "running"
    grow(valid(busy), **asked)
    for looks in (3, 9, 27):
        refining.drive(busy, _after(looks))
    refining.drive(busy)
    report = refining.check(busy)
    assert (report.state, report.problems) == ("finished", ())
    assert report.digest == refining.check(calm).digest


def test_what_is_asked_for_twice_differs_from_the_first_time(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    origin = valid(run_id)
    first, again = grow(origin), grow(origin)
    assert first.growth.id != again.growth.id
    refining.drive(run_id)
    replies = [v.reply for v in variants(run_id, asked=True)]
    assert len(set(replies)) == 2
    assert refining.check(run_id).problems == ()


def test_a_request_that_is_sent_twice_is_one(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    origin = valid(run_id)
    first = grow(origin, seen=0)
    again = grow(origin, seen=0)
    assert (again.growth.id, again.repeated, first.repeated) == (first.growth.id, True, False)
    assert not grow(origin, seen=0, children=2).repeated, "another request"
    second = grow(origin, seen=first.growth.id)
    assert not second.repeated, "the same again, on purpose"
    with unit_of_work() as session:
        service.cancel(session, ada, second.growth.id)
    assert not grow(origin, seen=first.growth.id).repeated, "what was cancelled is not grown"
    with unit_of_work() as session:
        recorded = session.query(AuditEvent).where(AuditEvent.action == "variant.grown_from").order_by(AuditEvent.id)
        assert [event.user_id for event in recorded] == [ada.user_id] * 4
        assert recorded[0].detail == {
            "growth": first.growth.id,
            "direction": "harder",
            "instruction": "",
            "children": 1,
            "turns": 1,
        }


def test_branches_grow_from_branches(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    grow(valid(run_id), children=2)
    refining.drive(run_id)
    child = next(v for v in variants(run_id, asked=True) if v.invalid_code is None)
    grow(child, direction="vary")
    refining.drive(run_id)
    grandchild = next(v for v in variants(run_id, asked=True) if v.parent_id == child.id)
    assert (grandchild.branch, grandchild.turn) == (4, child.turn + 1)
    assert refining.check(run_id).problems == ()


def test_an_invalid_variant_is_repaired(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, teacher={"engine": "procedural", "options": {"unchecked": 1.0}}, **ONE)
    refining.drive(run_id)
    broken = next((v for v in variants(run_id) if v.invalid_code), None)
    if broken is None:
        with unit_of_work() as session:
            broken = variants(run_id)[0]
            changed = {"invalid_code": "timeout", "invalid_detail": "It ran for too long."}
            session.execute(update(Variant).where(Variant.id == broken.id).values(**changed))
    grow(broken, direction="repair")
    refining.drive(run_id)
    mended = variants(run_id, asked=True)
    assert [(v.direction, v.parent_id) for v in mended] == [("repair", broken.id)]


def test_a_paused_run_keeps_requests_until_it_is_resumed(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, turns=6, **ONE)
    refining.drive(run_id, lambda: any(v.stage == "done" for v in variants(run_id)))
    with unit_of_work() as session:
        runs.pause(session, ada, run_id)
    outcome = grow(valid(run_id))
    assert "grow when it is resumed" in outcome.message
    assert refining.drive(run_id) is False
    assert (refining.state(run_id), variants(run_id, asked=True)) == ("paused", [])
    with unit_of_work() as session:
        runs.resume(session, ada, run_id)
    refining.drive(run_id)
    assert len(variants(run_id, asked=True)) == 1
    assert refining.check(run_id).problems == ()


def test_a_cancelled_run_grows_what_is_asked_and_is_cancelled_again(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, turns=6, **ONE)
    refining.drive(run_id, lambda: any(v.stage == "done" for v in variants(run_id)))
    with unit_of_work() as session:
        runs.cancel(session, ada, run_id)
    own = len(variants(run_id))
    grow(valid(run_id))
    assert refining.state(run_id) == "running"
    refining.drive(run_id)
    assert refining.state(run_id) == "cancelled"
    assert len(variants(run_id, asked=True)) == 1
    assert len(variants(run_id, asked=False)) == own
    assert refining.check(run_id).problems == ()


def test_cancelling_a_request_ends_the_run_again(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    growth = grow(valid(run_id), children=8, turns=6).growth
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "lane", "full")
        (claim,) = claims.claim_chains(session, run_id, "lane", 4, alone=False)
        assert claim.name == f"growth {growth.id}"
    with unit_of_work() as session:
        assert service.cancel(session, ada, growth.id).state == "cancelled"
    assert refining.state(run_id) == "finished"
    with unit_of_work() as session:
        claims.release(session, run_id, "lane")
        claims.leave_slot(session, run_id, "lane")
    assert refining.check(run_id).problems == ()


def test_a_chain_and_a_request_beside_it_are_driven_at_once(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, turns=6, **ONE)
    refining.drive(run_id, lambda: any(v.stage == "done" for v in variants(run_id)))
    growth = grow(valid(run_id)).growth
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "lane", "full")
        names = [claim.name for claim in claims.claim_chains(session, run_id, "lane", 4, alone=False)]
        assert names == [f"growth {growth.id}", f"chain {growth.chain_id}"]
        assert complete(session, claims.renew(run_id, "lane")) == set(names)


def test_a_request_that_kills_its_worker_is_set_aside(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    grow(valid(run_id))
    for death in range(claims.QUARANTINE):
        with unit_of_work() as session:
            assert len(claims.claim_chains(session, run_id, f"lane {death}", 4, alone=True)) == 1
            session.execute(update(Growth).values(lease_expires_at=PAST))
    with unit_of_work() as session:
        assert claims.claim_chains(session, run_id, "last", 4, alone=True) == []
    with unit_of_work() as session:
        assert session.query(Growth.state).scalar() == "quarantined"
        assert session.query(Chain.state).scalar() == "finished"
    assert refining.state(run_id) == "finished"


@pytest.mark.parametrize("strategy", ["single_turn", "top_down", "bisect"])
def test_every_strategy_goes_on_from_there(ada: Actor, grow: Grow, strategy: str) -> None:
    run_id = refining.start(ada, strategy=strategy, **ONE)
    refining.drive(run_id)
    origin = valid(run_id)
    grow(origin, turns=3)
    refining.drive(run_id)
    grown = variants(run_id, asked=True)
    assert grown
    assert all(v.path.startswith(f"{origin.path}/") and v.direction != "first" for v in grown)
    assert refining.check(run_id).problems == ()


def test_a_tree_takes_so_many_open_requests_and_no_more(ada: Actor, grow: Grow) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    origin = valid(run_id)
    for _ in range(service.MOST_OPEN):
        grow(origin)
    with pytest.raises(Conflict, match="50 requests are open"):
        grow(origin)
