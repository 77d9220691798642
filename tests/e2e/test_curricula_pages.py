"""Curricula in a real browser: live counts, freezing by keyboard, a download; nothing axe objects to."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from app.db import unit_of_work
from app.features.accounts import service as accounts
from app.models import Variant
from tests.support import builders
from tests.support.axe import violations
from tests.support.keyboard import press

SHOTS = os.environ.get("CAIRN_TEST_SHOTS")


@pytest.fixture
def signed_in(page: Page) -> Page:
    """Ada's browser; in her workspace everything valid of eight chains is approved."""
    with unit_of_work() as session:
        ada = builders.owner(session, "Ada")
        builders.grown_run(session, ada, chains=8, attempts=False)
        session.execute(update(Variant).where(Variant.problem.is_not(None)).values(review="approved"))
        link = accounts.create_sign_in_link(session, ada)
    page.goto(f"/signin/{link}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs")
    return page


def look(page: Page, name: str) -> None:
    """Both themes, wide and narrow: nothing axe objects to, and nothing wider than the window."""
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = {theme!r}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{name}-{theme}-{width}.png", full_page=True)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_curriculum_by_keyboard_from_nothing_to_a_file(signed_in: Page) -> None:
    page = signed_in
    press(page, "g")
    press(page, "c")
    page.wait_for_url("**/curricula")
    look(page, "empty")
    press(page, "n")
    page.wait_for_url("**/curricula/new")
    look(page, "new")
    page.get_by_label("Name").fill("First steps")
    press(page, "Enter")
    page.wait_for_url("**/v1")
    look(page, "draft")
    page.locator("main").focus()
    press(page, "f")
    expect(page.get_by_text("frozen", exact=True)).to_be_visible()
    look(page, "frozen")
    with page.expect_download() as download:
        press(page, "d")
    rows = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert str(len(rows)) == page.locator(".facts b").first.inner_text()
    press(page, "g")
    press(page, "c")
    page.wait_for_url("**/curricula")
    look(page, "list")


def test_counts_follow_the_selection_at_once_and_the_focus_stays(signed_in: Page) -> None:
    page = signed_in
    page.goto("/curricula/new")
    page.get_by_label("Name").fill("Second steps")
    press(page, "Enter")
    page.wait_for_url("**/v1")
    total = page.locator("#found .facts b").first
    before = total.inner_text()
    box = page.get_by_role("checkbox", name="Induction")
    box.focus()
    press(page, "Space")
    expect(total).not_to_have_text(before)
    expect(box).to_be_focused()
    page.get_by_role("checkbox", name="easy-medium").check()
    page.get_by_label("Difficulty bins").select_option("narrow")
    expect(page.locator("#found [role=alert]")).to_contain_text("the narrow set has no bin", ignore_case=True)
    look(page, "error")
    page.get_by_role("checkbox", name="easy-medium").uncheck()
    page.get_by_label("Difficulty bins").select_option("broad")
    expect(page.locator("#found [role=alert]")).to_have_count(0)
    page.get_by_role("table", name="Problems by environment").get_by_role("link").first.click()
    page.wait_for_url("**/problems?**")
    look(page, "problems")


def test_a_diff(signed_in: Page) -> None:
    page = signed_in
    page.goto("/curricula/new")
    page.get_by_label("Name").fill("Third steps")
    press(page, "Enter")
    page.wait_for_url("**/v1")
    page.get_by_role("button", name="Freeze").click()
    page.get_by_role("button", name="New version").click()
    page.wait_for_url("**/v2")
    page.get_by_label("Bins", exact=False).first.wait_for()
    page.get_by_role("checkbox", name="hard", exact=True).check()
    page.get_by_role("button", name="Save and count").click()
    page.get_by_role("link", name="what changed").click()
    page.wait_for_url("**/diff?**")
    expect(page.locator(".facts")).to_contain_text("removed")
    look(page, "diff")
