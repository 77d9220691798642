"""The local owner, links and tokens, beneath their pages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.errors import InvalidInput
from app.features.accounts import credentials, queries, service
from app.models import ApiToken, AuditEvent, Membership, User, WebSession, Workspace
from tests.support import builders


def owner() -> Actor:
    with unit_of_work() as session:
        return service.ensure_local_owner(session)


def test_there_is_one_local_owner_however_many_start_at_once(database: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        actors = set(pool.map(lambda _: owner(), range(16)))
    assert len(actors) == 1
    assert actors.pop().role is Role.OWNER
    with unit_of_work() as session:
        counts = [
            session.execute(select(func.count()).select_from(t)).scalar_one() for t in (Workspace, User, Membership)
        ]
    assert counts == [1, 1, 1]


def test_of_two_who_use_one_link_at_once_one_gets_in(database: str) -> None:
    actor = owner()
    with unit_of_work() as session:
        link = service.create_sign_in_link(session, actor)

    def enter(_: int) -> bool:
        try:
            with unit_of_work() as session:
                service.sign_in(session, link)
        except InvalidInput:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(enter, range(8))) == 1
    with unit_of_work() as session:
        assert session.execute(select(func.count()).select_from(WebSession)).scalar_one() == 1


def test_a_link_of_somebody_who_left_is_worth_nothing(database: str) -> None:
    actor = owner()
    with unit_of_work() as session:
        link = service.create_sign_in_link(session, actor)
        session.execute(text("delete from membership"))
    with pytest.raises(InvalidInput), unit_of_work() as session:
        service.sign_in(session, link)


def test_a_deed_and_its_trace_stand_or_fall_together(database: str) -> None:
    actor = owner()

    def fail_afterwards() -> None:
        with unit_of_work() as session:
            service.create_api_token(session, actor, "laptop", "write", 7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_afterwards()
    with unit_of_work() as session:
        assert session.execute(select(ApiToken)).all() == []
        assert "api_token.created" not in session.execute(select(AuditEvent.action)).scalars().all()


def test_old_sessions_and_links_are_swept_away(database: str) -> None:
    actor = owner()
    with unit_of_work() as session:
        first, second = (service.create_sign_in_link(session, actor) for _ in range(2))
    with unit_of_work() as session:
        service.sign_in(session, first)
        session.execute(text("update session set expires_at = now() - interval '1 second'"))
    with unit_of_work() as session:
        service.sign_in(session, second)
        assert session.execute(select(func.count()).select_from(WebSession)).scalar_one() == 1


@pytest.mark.parametrize("days", [0, 366, -1])
def test_tokens_end(database: str, days: int) -> None:
    actor = owner()
    with pytest.raises(InvalidInput) as caught, unit_of_work() as session:
        service.create_api_token(session, actor, "laptop", "read", days)
    assert caught.value.field == "days"


def test_a_person_acts_in_the_workspace_of_the_session(database: str) -> None:
    """Who belongs to two workspaces is let into the one that the link was made for."""
    with unit_of_work() as session:
        ada = builders.owner(session, "Ada")
        other = builders.workspace(session, "Second")
        session.add(Membership(workspace_id=other.id, user_id=ada.user_id, role="viewer"))
        link = service.create_sign_in_link(session, Actor(other.id, ada.user_id, Role.VIEWER))
    with unit_of_work() as session:
        found = service.resolve_session(session, service.sign_in(session, link))
    assert found is not None
    assert (found.actor.workspace_id, found.actor.role, found.workspace) == (other.id, Role.VIEWER, "Second")


def test_a_session_that_ends_while_it_is_used_is_not_brought_back(database: str) -> None:
    actor = owner()
    with unit_of_work() as session:
        secret = service.sign_in(session, service.create_sign_in_link(session, actor))
    with unit_of_work() as slow:
        assert service.session_stands(slow, secret)
        with unit_of_work() as other:
            other.execute(text("update session set expires_at = now() - interval '1 second'"))
        queries.renew_session(slow, credentials.digest(secret), service.SESSION_LIFETIME, service.SESSION_STEP)
    with unit_of_work() as session:
        assert service.resolve_session(session, secret) is None


def test_use_makes_a_session_last_longer_and_a_look_does_not(database: str) -> None:
    actor = owner()
    with unit_of_work() as session:
        secret = service.sign_in(session, service.create_sign_in_link(session, actor))
        session.execute(text("update session set expires_at = now() + interval '1 hour'"))

    def left_hours() -> float:
        with unit_of_work() as session:
            left = session.execute(select(WebSession.expires_at - func.now())).scalar_one()
        return float(left.total_seconds()) / 3600

    for look, lasts in ((service.session_stands, False), (service.resolve_session, True)):
        with unit_of_work() as session:
            assert look(session, secret)
        assert (left_hours() > 2) is lasts
