"""Two people who decide at the same moment."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.db import unit_of_work
from app.errors import Conflict
from app.features.review import service
from app.features.review.schemas import Ballot
from app.models import Decision, Variant
from tests.features.review.conftest import Team
from tests.support.at_once import overlapping


def test_both_approvals_are_kept_and_the_later_one_is_told(team: Team) -> None:
    variant, ballot = team.variants["2.1"], team.approval("2.1")
    first, second = overlapping(
        lambda session: service.decide(session, team.ada, variant, ballot),
        lambda session: service.decide(session, team.grace, variant, ballot),
    )
    assert first.message == "Approved 2.1."
    assert "Ada approved it as well" in second.result().message
    with unit_of_work() as session:
        users = session.execute(select(Decision.user_id).where(Decision.variant_id == variant)).scalars().all()
        assert sorted(users) == sorted([team.ada.user_id, team.grace.user_id])


def test_the_same_person_in_two_tabs_has_one_vote(team: Team) -> None:
    variant, ballot = team.variants["2.1"], team.approval("2.1")
    first, second = overlapping(
        lambda session: service.decide(session, team.ada, variant, ballot),
        lambda session: service.decide(session, team.ada, variant, ballot),
    )
    assert second.result().repeated
    assert second.result().decision_id == first.decision_id


def test_opposite_decisions_do_not_overwrite_each_other(team: Team) -> None:
    variant = team.variants["2.1"]
    reject = Ballot(kind="reject", reason="unclear", content_hash=team.hashes["2.1"], seen=0)
    first, second = overlapping(
        lambda session: service.decide(session, team.ada, variant, team.approval("2.1")),
        lambda session: service.decide(session, team.grace, variant, reject),
    )
    assert first.state == "approved"
    with pytest.raises(Conflict, match=r"Ada approved 2\.1"):
        second.result()
    with unit_of_work() as session:
        assert session.get_one(Variant, variant).review == "approved"
