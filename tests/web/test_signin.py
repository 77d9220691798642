"""Signing in by a one-time link, staying signed in, signing out."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from app.models import AuditEvent, SignInLink, WebSession
from app.web.render import FLASH_COOKIE
from tests.support.browsing import Visitor

SignIn = Callable[[Actor], Visitor]


@pytest.fixture
def link(ada: Actor) -> str:
    with unit_of_work() as session:
        return accounts.create_sign_in_link(session, ada)


def test_opening_a_link_shows_a_button_and_pressing_it_signs_in(visitor: Visitor, link: str) -> None:
    for _ in range(2):  # previews open it as often as they like
        shown = visitor.get(f"/signin/{link}?next=/settings")
        assert shown.status_code == 200
        assert 'action="/signin/' in shown.text
    answer = visitor.post(f"/signin/{link}", data={"next": "/settings"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert visitor.get("/settings").status_code == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(visitor: Visitor, link: str) -> None:
    cookie = visitor.post(f"/signin/{link}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_only_hashes_of_secrets_are_kept(visitor: Visitor, link: str) -> None:
    visitor.post(f"/signin/{link}")
    secret = visitor.cookies["cairn_session"]
    with unit_of_work() as session:
        kept = [session.execute(select(table.digest)).scalar_one() for table in (SignInLink, WebSession)]
    assert link not in kept
    assert secret not in kept
    assert all(len(digest) == 64 for digest in kept)


def test_a_link_works_once(visitor: Visitor, signed_in: SignIn, application: object, link: str) -> None:
    assert visitor.post(f"/signin/{link}").status_code == 303
    other = Visitor(visitor.app)
    answer = other.post(f"/signin/{link}")
    assert answer.status_code == 422
    assert "cairn signin" in answer.text
    assert "cairn_session" not in other.cookies


def test_unknown_used_and_expired_links_get_one_and_the_same_answer(visitor: Visitor, ada: Actor, link: str) -> None:
    visitor.post(f"/signin/{link}")
    with unit_of_work() as session:
        expired = accounts.create_sign_in_link(session, ada)
    with unit_of_work() as session:
        session.execute(text("update sign_in_link set expires_at = now() - interval '1 second' where used_at is null"))

    def told(token: str) -> str:
        page = Visitor(visitor.app).post(f"/signin/{token}")
        assert page.status_code == 422
        return page.text.partition('class="note b-bad"')[2].partition("request")[0]

    answers = {told(token) for token in (link, expired, "never-made", "\u2026", "%00")}
    assert len(answers) == 1
    assert answers.pop()


def test_a_flood_of_attempts_is_slowed_down_even_with_a_good_link(visitor: Visitor, link: str) -> None:
    for number in range(10):
        assert visitor.post(f"/signin/guess-{number}").status_code == 422
    answer = visitor.post(f"/signin/{link}")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "cairn_session" not in visitor.cookies


def test_pasting_a_link_or_its_token_leads_to_the_button(visitor: Visitor, link: str) -> None:
    for pasted in (link, f" http://127.0.0.1:8000/signin/{link}\n", f"http://127.0.0.1:8000/signin/{link}?next=/x"):
        answer = visitor.post("/signin", data={"link": pasted, "next": "/seeds"})
        assert answer.headers["location"] == f"/signin/{link}?next=/seeds"
    assert visitor.post("/signin", data={}).status_code == 303


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_led_elsewhere_after_signing_in(visitor: Visitor, link: str, elsewhere: str) -> None:
    assert visitor.post(f"/signin/{link}", data={"next": elsewhere}).headers["location"] == "/"


def test_a_new_session_takes_the_place_of_the_old_one(page: Visitor, ada: Actor) -> None:
    before = page.cookies["cairn_session"]
    with unit_of_work() as session:
        again = accounts.create_sign_in_link(session, ada)
    page.post(f"/signin/{again}")
    assert page.cookies["cairn_session"] != before
    with unit_of_work() as session:
        assert accounts.resolve_session(session, before) is None
        assert len(session.execute(select(WebSession)).all()) == 1


def test_signing_out_ends_the_session_on_the_server(page: Visitor) -> None:
    secret = page.cookies["cairn_session"]
    answer = page.submit("/signout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    page.cookies.set("cairn_session", secret)
    assert page.get("/settings").headers["location"] == "/signin?next=%2Fsettings"


def test_using_a_session_makes_it_last_longer(page: Visitor) -> None:
    with unit_of_work() as session:
        session.execute(text("update session set expires_at = now() + interval '1 day'"))
    assert page.get("/settings").status_code == 200
    with unit_of_work() as session:
        days = session.execute(text("select extract(day from expires_at - now()) from session")).scalar_one()
    assert days == accounts.SESSION_LIFETIME.days - 1  # thirteen days and some hours


def test_an_expired_session_is_over(page: Visitor) -> None:
    with unit_of_work() as session:
        session.execute(text("update session set expires_at = now()"))
    assert page.get("/settings").status_code == 303


def test_a_deactivated_person_is_out_at_once(page: Visitor, api_token: str) -> None:
    with unit_of_work() as session:
        session.execute(text('update "user" set deactivated_at = now()'))
    assert page.get("/settings").status_code == 303
    assert Visitor(page.app, api_token).get("/api/v1/seed-sets").status_code == 401


def test_whoever_is_not_signed_in_comes_back_after_signing_in(visitor: Visitor, link: str) -> None:
    asked = visitor.get("/seeds?before=5")
    assert (asked.status_code, asked.headers["location"]) == (303, "/signin?next=%2Fseeds%3Fbefore%3D5")
    assert 'value="/seeds?before=5"' in visitor.get(asked.headers["location"]).text


def test_a_fragment_of_a_page_sends_the_whole_page_to_sign_in(visitor: Visitor) -> None:
    answer = visitor.get("/seeds", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/signin"


def test_every_step_is_in_the_audit_log(page: Visitor, ada: Actor) -> None:
    page.submit("/signout")
    with unit_of_work() as session:
        events = session.execute(select(AuditEvent.action, AuditEvent.user_id).order_by(AuditEvent.id)).all()
    assert [event.action for event in events] == ["sign_in_link.created", "session.opened", "session.closed"]
    assert {event.user_id for event in events} == {ada.user_id}


@pytest.mark.parametrize("pasted", ["", "http://[half", "http://[::1", "?", "a\0b", "\u2026"])
def test_what_is_no_link_is_taken_for_a_used_one(visitor: Visitor, pasted: str) -> None:
    answer = visitor.post("/signin", data={"link": pasted})
    assert answer.status_code == 303
    assert visitor.post(answer.headers["location"].split("?")[0]).status_code == 422


@pytest.mark.parametrize("flash", [b"[" * 5_000, b"[1]", b"{}", b'{"text": "\\ud800", "kind": "done"}', b"\xff"])
def test_a_message_that_is_not_ours_stops_no_page(visitor: Visitor, flash: bytes) -> None:
    cookie = f"{FLASH_COOKIE}={urlsafe_b64encode(flash).decode()}"
    assert visitor.get("/signin", headers={"cookie": cookie}).status_code == 200
