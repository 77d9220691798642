"""The page of a run while it grows: figures follow by themselves, and what a reader holds on to stays."""

from __future__ import annotations

from itertools import count

import pytest
from playwright.sync_api import Browser, Page, expect

from app.db import unit_of_work
from app.domain.actor import Actor
from app.events import publish
from app.features.accounts import service as accounts
from app.models import Run
from tests.support import builders
from tests.support.axe import violations
from tests.support.keyboard import press, sign_in
from tests.support.relay import Relay

POSITIONS = count(1_000)


@pytest.fixture
def ada(database: str, broker: str) -> Actor:
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=2, attempts=False).id


@pytest.fixture
def link(ada: Actor, run: int) -> str:
    """Signs Ada in and leads to the run."""
    with unit_of_work() as session:
        return f"/signin/{accounts.create_sign_in_link(session, ada)}?next=/runs/{run}"


@pytest.fixture
def live(page: Page, link: str) -> Page:
    """Ada's browser on the page of the run, low enough that it scrolls."""
    page.set_viewport_size({"width": 1000, "height": 500})
    open_run(page, link)
    return page


def open_run(page: Page, link: str) -> None:
    with page.expect_response("**/events?after=*"):
        sign_in(page, link)


def grow(run: int) -> None:
    """What a lane would write: a chain with its variants, five of them usable, and the news of it."""
    with unit_of_work() as session:
        found = session.get_one(Run, run)
        builders.grown_chain(session, found, next(POSITIONS), attempts=False)
        publish(session, found.workspace_id, run, "variant")


def change(run: int, state: str, error: str = "") -> None:
    with unit_of_work() as session:
        found = session.get_one(Run, run)
        found.state, found.error = state, error
        publish(session, found.workspace_id, run, state)


def test_figures_follow_without_a_reload(live: Page, run: int) -> None:
    usable = live.locator(".facts b").first
    before = int(usable.inner_text())
    live.evaluate("window.mark = 'the page that was loaded'")
    for more in (1, 2, 3):
        grow(run)
        expect(usable).to_have_text(str(before + 5 * more))
    assert live.evaluate("window.mark") == "the page that was loaded"


def test_focus_scroll_and_what_was_opened_stay(live: Page, run: int) -> None:
    toggle = live.locator("details", has_text="Table").first
    toggle.locator("summary").click()
    expect(live.locator("#yield-table")).to_be_visible()
    link = live.locator("#bins a").first
    link.focus()
    link.scroll_into_view_if_needed()
    place = live.evaluate("scrollY")
    assert place > 0
    usable = live.locator(".facts b").first
    before = usable.inner_text()
    grow(run)
    expect(usable).not_to_have_text(before)
    expect(link).to_be_focused()
    expect(live.locator("#yield-table")).to_be_visible()
    assert abs(live.evaluate("scrollY") - place) < 60, "new rows may push by a line, and no more"


def test_a_run_that_pauses_by_itself_says_why_and_is_resumed_in_place(live: Page, run: int) -> None:
    press(live, "p")
    expect(live.get_by_text("Chains stopped at their last finished stage")).to_be_visible()
    press(live, "p")
    expect(live.get_by_text("The run goes on.")).to_be_visible()
    with unit_of_work() as session:
        builders.incident(session, session.get_one(Run, run), "teacher", "unreachable", "http://gpu-1 does not answer")
    change(run, "paused", "teacher: http://gpu-1 does not answer")
    expect(live.get_by_role("alert")).to_contain_text("http://gpu-1 does not answer")
    expect(live.locator(".example")).to_contain_text("1 while teacher")
    expect(live.get_by_role("button", name="Resume")).to_be_visible()
    assert violations(live) == []
    change(run, "finished")
    expect(live.locator("#live .head .badge")).to_have_text("finished")
    expect(live.get_by_role("button", name="Archive")).to_be_visible()


def test_cancelling_takes_two_steps(live: Page) -> None:
    live.get_by_text("Cancel…").click()
    live.get_by_role("button", name="Cancel this run").click()
    expect(live.get_by_text("Cancelled. What was measured stays.")).to_be_visible()
    expect(live.locator("#live .head .badge")).to_have_text("cancelled")


def test_a_stream_that_breaks_says_so_and_catches_up(browser: Browser, web: str, link: str, run: int) -> None:
    with Relay(int(web.rpartition(":")[2])) as wire, browser.new_context(base_url=wire.address) as context:
        page = context.new_page()
        open_run(page, link)
        note, usable = page.locator("[data-stream-state]"), page.locator(".facts b").first
        before = usable.inner_text()
        expect(note).to_be_hidden()
        wire.cut()
        expect(note).to_contain_text("Reconnecting, data as of")
        grow(run)
        assert usable.inner_text() == before
        wire.mend()
        expect(usable).not_to_have_text(before)
        expect(note).to_be_hidden()
