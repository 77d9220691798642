"""Asking while lanes commit, and two people who ask at the same moment."""

from __future__ import annotations

from app.db import Session, complete, unit_of_work
from app.domain.actor import Actor
from app.features.growths import service
from app.features.growths.schemas import Outcome, Request
from app.features.runs import claims, stages
from app.features.runs.claims import Claim
from app.models import Growth
from tests.features.growths.conftest import valid, variants
from tests.support import refining
from tests.support.at_once import overlapping

ONE = {"environments": ["deduction"]}


def _held(run_id: int) -> Claim:
    """The run's chain, taken by a lane that is about to end it."""
    refining.drive(run_id, lambda: any(v.stage == "done" for v in variants(run_id)))
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "lane", "full")
        (claim,) = claims.claim_chains(session, run_id, "lane", 4, alone=False)
    return claim


def _ask(ada: Actor, run_id: int, session: Session) -> Outcome:
    return service.grow(session, ada, valid(run_id).id, Request(direction="harder", seen=0))


def test_a_request_that_meets_the_end_of_its_run_is_grown(ada: Actor) -> None:
    for end_first in (True, False):
        run_id = refining.start(ada, **ONE)
        claim = _held(run_id)

        def end(session: Session, claim: Claim = claim) -> None:
            stages.save_end(session, claim, "failed", "internal_error")

        def ask(session: Session, run_id: int = run_id) -> None:
            _ask(ada, run_id, session)

        _, later = overlapping(end, ask) if end_first else overlapping(ask, end)
        later.result()
        assert refining.state(run_id) == "running"
        with unit_of_work() as session:
            claims.release(session, run_id, "lane")
            claims.leave_slot(session, run_id, "lane")
        refining.drive(run_id)
        assert refining.state(run_id) == "finished"
        assert len(variants(run_id, asked=True)) == 1
        assert refining.check(run_id).problems == ()


def test_a_stage_that_is_committed_meanwhile_is_not_held_up(ada: Actor) -> None:
    run_id = refining.start(ada, **ONE)
    claim = _held(run_id)
    _, later = overlapping(
        lambda session: _ask(ada, run_id, session),
        lambda session: complete(session, stages.save_turn(claim, claim.next_turn)),
    )
    later.result()
    with unit_of_work() as session:
        assert session.query(Growth).count() == 1


def test_a_form_that_is_sent_twice_at_once_is_one_request(ada: Actor) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    first, later = overlapping(lambda s: _ask(ada, run_id, s), lambda s: _ask(ada, run_id, s))
    assert (first.repeated, later.result().repeated) == (False, True)
    assert first.growth.id == later.result().growth.id


def test_two_requests_at_once_take_branches_of_their_own(ada: Actor) -> None:
    run_id = refining.start(ada, **ONE)
    refining.drive(run_id)
    origin = valid(run_id).id
    first, later = overlapping(
        lambda s: service.grow(s, ada, origin, Request(direction="harder", children=3)),
        lambda s: service.grow(s, ada, origin, Request(direction="easier", children=3)),
    )
    later.result()
    with unit_of_work() as session:
        taken = sorted(row.first_branch for row in session.query(Growth))
    assert taken == [2, 5]
    assert first.growth.state == "open"
