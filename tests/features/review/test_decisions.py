"""Approving, rejecting and undoing: what is recorded, what is refused, and what people are told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from app.db import unit_of_work
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.features.review import service
from app.features.review.schemas import UNDOABLE, Ballot
from app.models import AuditEvent, Decision, Event, Measurement, Variant
from tests.features.review.conftest import Team
from tests.support import builders


def review_of(variant_id: int) -> str:
    with unit_of_work() as session:
        return session.execute(select(Variant.review).where(Variant.id == variant_id)).scalar_one()


def recorded(variant_id: int) -> list[Decision]:
    with unit_of_work() as session:
        rows = session.execute(select(Decision).where(Decision.variant_id == variant_id).order_by(Decision.id))
        return list(rows.scalars())


def test_an_approval_is_recorded_audited_and_announced(team: Team) -> None:
    variant = team.variants["2.1"]
    with unit_of_work() as session:
        outcome = service.decide(session, team.ada, variant, team.approval("2.1"))
    assert (outcome.state, outcome.message, outcome.repeated) == ("approved", "Approved 2.1.", False)
    assert review_of(variant) == "approved"
    (decision,) = recorded(variant)
    assert (decision.kind, decision.content_hash, decision.user_id) == (
        "approve",
        team.hashes["2.1"],
        team.ada.user_id,
    )
    with unit_of_work() as session:
        audited = session.execute(select(AuditEvent).where(AuditEvent.action == "variant.approve")).scalar_one()
        assert (audited.target, audited.detail["decision"]) == (f"variant:{variant}", decision.id)
        assert session.execute(select(Event.subject).where(Event.kind == "decision")).scalar_one() == variant


def test_a_rejection_keeps_reason_and_comment(team: Team) -> None:
    variant = team.variants["3.1"]
    with unit_of_work() as session:
        service.decide(session, team.ada, variant, team.rejection("3.1", "other", "  needs a tie rule \r\n"))
    (decision,) = recorded(variant)
    assert (decision.reason, decision.comment, review_of(variant)) == ("other", "needs a tie rule", "rejected")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "reject"}, "needs a reason"),
        ({"kind": "reject", "reason": "bored"}, "needs a reason"),
        ({"kind": "reject", "reason": "other"}, "comment"),
        ({"kind": "approve", "reason": "trivial"}, "no reason"),
        ({"kind": "approve", "comment": "x" * 2_001}, "2000"),
        ({"kind": "adore"}, "kind"),
    ],
)
def test_ballots_that_say_nothing_clear_are_refused(fields: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Ballot(content_hash="x", **fields)  # type: ignore[arg-type]


def test_only_valid_measured_variants_are_decided_on(team: Team) -> None:
    with unit_of_work() as session:
        session.execute(update(Measurement).where(Measurement.variant_id == team.variants["6.1"]).values(rate=None))
        session.execute(update(Variant).where(Variant.id == team.variants["5.1"]).values(stage="attempted"))
    for place, told in (("4.1", "is invalid"), ("5.1", "still being checked"), ("6.1", "too few verdicts")):
        ballot = Ballot(kind="approve", content_hash=team.hashes[place] or "none", seen=0)
        with unit_of_work() as session, pytest.raises(InvalidInput, match=told):
            service.decide(session, team.ada, team.variants[place], ballot)
    with unit_of_work() as session:
        outcome = service.decide(session, team.ada, team.variants["6.1"], team.rejection("6.1", "unclear"))
    assert outcome.state == "rejected"


def test_viewers_and_strangers_cannot_decide(team: Team) -> None:
    with unit_of_work() as session, pytest.raises(Forbidden, match="viewer"):
        service.decide(session, team.viewer, team.variants["2.1"], team.approval("2.1"))
    with unit_of_work() as session:
        stranger = builders.owner(session, "Eve")
    with unit_of_work() as session, pytest.raises(NotFound):
        service.decide(session, stranger, team.variants["2.1"], team.approval("2.1"))
    assert recorded(team.variants["2.1"]) == []


# --- twice, stale, changed ---


def test_the_same_form_sent_twice_is_one_vote(team: Team) -> None:
    for repeated in (False, True, True):
        with unit_of_work() as session:
            outcome = service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1"))
        assert outcome.repeated == repeated
    assert len(recorded(team.variants["2.1"])) == 1


def test_a_second_approval_keeps_both_votes_and_tells_of_the_first(team: Team) -> None:
    with unit_of_work() as session:
        service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1"))
    with unit_of_work() as session:
        outcome = service.decide(session, team.grace, team.variants["2.1"], team.approval("2.1"))
    assert outcome.message == "Approved 2.1. Ada approved it as well in the meantime; every vote is kept."
    assert [decision.kind for decision in recorded(team.variants["2.1"])] == ["approve", "approve"]


def test_a_page_that_others_overtook_is_refused_and_says_what_changed(team: Team) -> None:
    with unit_of_work() as session:
        service.decide(session, team.grace, team.variants["2.1"], team.rejection("2.1", "leaks", "see line 2"))
    with unit_of_work() as session, pytest.raises(Conflict, match=r"Grace rejected 2\.1 since you opened it") as error:
        service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1"))
    assert "Gives its answer away" in error.value.message
    assert "see line 2" in error.value.message
    assert "what you typed is kept" in error.value.remedy
    (first,) = recorded(team.variants["2.1"])
    with unit_of_work() as session:
        outcome = service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1", seen=first.id))
    assert outcome.state == "approved"


def test_a_problem_that_changed_is_refused(team: Team) -> None:
    ballot = Ballot(kind="approve", content_hash="0" * 64, seen=0)
    with unit_of_work() as session, pytest.raises(Conflict, match=r"problem of 2\.1 changed"):
        service.decide(session, team.ada, team.variants["2.1"], ballot)


def test_without_saying_what_was_seen_a_program_decides_whatever_others_said(team: Team) -> None:
    with unit_of_work() as session:
        service.decide(session, team.grace, team.variants["2.1"], team.rejection("2.1"))
    for repeated in (False, True):
        with unit_of_work() as session:
            outcome = service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1", seen=None))
        assert (outcome.state, outcome.repeated) == ("approved", repeated)


# --- undo ---


def test_undo_brings_back_what_stood_before(team: Team) -> None:
    variant = team.variants["2.1"]
    with unit_of_work() as session:
        first = service.decide(session, team.grace, variant, team.approval("2.1"))
    with unit_of_work() as session:
        second = service.decide(session, team.ada, variant, team.rejection("2.1", seen=first.decision_id))
    for repeated in (False, True):
        with unit_of_work() as session:
            outcome = service.undo(session, team.ada, second.decision_id)
        assert (outcome.state, outcome.repeated) == ("approved", repeated)
    assert review_of(variant) == "approved"
    assert [decision.kind for decision in recorded(variant)] == ["approve", "reject", "undo"]


def test_an_undone_vote_can_be_cast_again(team: Team) -> None:
    with unit_of_work() as session:
        first = service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1"))
        service.undo(session, team.ada, first.decision_id)
    assert review_of(team.variants["2.1"]) == ""
    with unit_of_work() as session:
        again = service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1"))
    assert not again.repeated
    assert review_of(team.variants["2.1"]) == "approved"


def test_only_ones_own_last_decisions_can_be_undone(team: Team) -> None:
    with unit_of_work() as session:
        oldest = service.decide(session, team.ada, team.variants["2.1"], team.approval("2.1"))
    with unit_of_work() as session, pytest.raises(Forbidden, match="Ada's decision"):
        service.undo(session, team.grace, oldest.decision_id)
    with unit_of_work() as session, pytest.raises(NotFound):
        service.undo(session, team.ada, 999_999)
    with unit_of_work() as session:
        home = session.get_one(Variant, team.variants["2.1"]).chain_id
        chain = session.get_one(builders.Chain, home)
        for turn in range(UNDOABLE):
            variant = builders.variant(session, chain, turn=turn + 10)
            builders.measurement(session, variant, 16, attempts=False)
            service.decide(
                session, team.ada, variant.id, Ballot(kind="approve", content_hash=variant.content_hash or "")
            )
    with unit_of_work() as session, pytest.raises(Conflict, match="last 20"):
        service.undo(session, team.ada, oldest.decision_id)
