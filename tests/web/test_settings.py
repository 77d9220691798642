"""One's own settings: name, API tokens, browsers that are signed in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.accounts import credentials
from app.models import ApiToken, AuditEvent
from tests.support import builders
from tests.support.browsing import Visitor

SignIn = Callable[[Actor], Visitor]
RUNS = "/api/v1/seed-sets"


def new_token(page: Visitor, **fields: str) -> str:
    answer = page.submit("/settings/tokens", {"token_name": "laptop", "scope": "read", "days": "30"} | fields)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r'id="new-token">([^<]+)<', answer.text)
    assert found
    return found.group(1)


def test_a_token_is_shown_once_and_works(page: Visitor) -> None:
    token = new_token(page)
    assert token not in page.get("/settings").text
    assert "laptop" in page.get("/settings").text
    assert Visitor(page.app, token).get(RUNS).status_code == 200
    with unit_of_work() as session:
        row = session.execute(select(ApiToken)).scalar_one()
    assert token not in (row.digest, row.name)
    assert row.last_used_at is not None


def test_a_revoked_token_is_refused_from_then_on(page: Visitor) -> None:
    program = Visitor(page.app, new_token(page))
    assert program.get(RUNS).status_code == 200
    with unit_of_work() as session:
        token_id = session.execute(select(ApiToken.id)).scalar_one()
    assert page.submit(f"/settings/tokens/{token_id}/revoke").status_code == 303
    assert program.get(RUNS).status_code == 401
    assert page.submit(f"/settings/tokens/{token_id}/revoke").status_code == 404


def test_an_expired_token_is_refused(page: Visitor) -> None:
    program = Visitor(page.app, new_token(page))
    with unit_of_work() as session:
        session.execute(text("update api_token set expires_at = now()"))
    assert program.get(RUNS).status_code == 401


def test_tokens_carry_a_checksum(page: Visitor) -> None:
    token = new_token(page)
    assert token.startswith("cairn_")
    assert credentials.is_api_token(token)
    torn = token[:-9] + ("0" if token[-9] != "0" else "1") + token[-8:]
    assert not any(map(credentials.is_api_token, (torn, token[:-1], token + "0", token[6:], "cairn_", "")))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"token_name": " "}, "token_name"),
        ({"token_name": "a\x00b"}, "token_name"),
        ({"token_name": "x" * 101}, "token_name"),
        ({"days": "0"}, "days"),
        ({"days": "366"}, "days"),
        ({"days": "1e3"}, "days"),
        ({"days": "9" * 5_000}, "days"),
        ({"days": "²"}, "days"),
    ],
)
def test_what_is_wrong_stands_at_its_field(page: Visitor, fields: dict[str, str], field: str) -> None:
    answer = page.submit("/settings/tokens", {"token_name": "kept", "scope": "write", "days": "30"} | fields)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    if field != "token_name":
        assert 'value="kept"' in answer.text


def test_a_viewer_gets_no_token_that_writes(ada: Actor, signed_in: SignIn) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vera", Role.VIEWER)
    page = signed_in(viewer)
    assert new_token(page, scope="read")
    assert page.submit("/settings/tokens", {"token_name": "x", "scope": "write", "days": "1"}).status_code == 403


def test_the_name_is_changed_and_shown(page: Visitor) -> None:
    assert page.submit("/settings/profile", {"name": " Ada <Lovelace> "}).status_code == 303
    assert "Ada &lt;Lovelace&gt;" in page.get("/settings").text
    refused = page.submit("/settings/profile", {"name": ""})
    assert refused.status_code == 422
    assert 'id="name-error"' in refused.text


def test_another_browser_is_signed_out_from_here(page: Visitor, ada: Actor, signed_in: SignIn) -> None:
    other = signed_in(ada)
    keys = re.findall(r"/settings/sessions/(\w+)/revoke", page.get("/settings").text)
    assert len(keys) == 1
    assert page.submit(f"/settings/sessions/{keys[0]}/revoke").status_code == 303
    assert other.get("/settings").status_code == 303
    assert page.get("/settings").status_code == 200


@pytest.mark.parametrize("key", ["%", "_" * 16, "0" * 16, "x"])
def test_no_session_goes_by_a_wildcard(page: Visitor, key: str) -> None:
    assert page.submit(f"/settings/sessions/{key}/revoke").status_code == 404
    assert page.get("/settings").status_code == 200


def test_other_people_s_tokens_and_sessions_are_out_of_reach(page: Visitor, ada: Actor, signed_in: SignIn) -> None:
    token = new_token(page)
    with unit_of_work() as session:
        token_id = session.execute(select(ApiToken.id)).scalar_one()
        key = session.execute(text("select left(digest, 16) from session")).scalar_one()
        colleague = builders.member(session, ada, "Grace")
    other = signed_in(colleague)
    assert "laptop" not in other.get("/settings").text
    assert other.submit(f"/settings/tokens/{token_id}/revoke").status_code == 404
    assert other.submit(f"/settings/sessions/{key}/revoke").status_code == 404
    assert Visitor(page.app, token).get(RUNS).status_code == 200
    assert page.get("/settings").status_code == 200


def test_deeds_are_in_the_audit_log_and_secrets_are_not(page: Visitor) -> None:
    token = new_token(page)
    page.submit("/settings/profile", {"name": "Ada L"})
    with unit_of_work() as session:
        events = session.execute(select(AuditEvent.action, AuditEvent.detail)).all()
    assert {"api_token.created", "user.renamed"} <= {event.action for event in events}
    assert token not in str(events)
