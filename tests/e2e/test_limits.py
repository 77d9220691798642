"""From a preview to a run that ends at its goal, by keyboard, with a real worker."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from app.db import unit_of_work
from app.features.accounts import service as accounts
from tests.support import refining
from tests.support.keyboard import press, sign_in

pytestmark = pytest.mark.usefixtures("worker")


def test_a_preview_tells_what_the_whole_run_takes_and_starts_it(page: Page) -> None:
    actor = refining.owner_with_seeds(40)
    with unit_of_work() as session:
        link = accounts.create_sign_in_link(session, actor)
    sign_in(page, f"/signin/{link}?next=/runs/new?from=quick")
    for name in ("Abduction", "Fuzzing", "Induction"):
        page.get_by_label(name, exact=True).press("Space")
        expect(page.get_by_text(f"{name}: limits and options")).to_have_count(0)
    for label, typed in (("Goal: usable variants", "1"), ("Cap on attempts", "100000"), ("Turns", "2")):
        page.get_by_label(label, exact=True).focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(typed)
    page.get_by_label("hard", exact=True).press("Space")
    page.get_by_label("easy", exact=True).press("Space")
    page.get_by_role("heading", name="New run").click()
    press(page, "e")
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    estimate = page.get_by_role("table", name="Estimate of the whole run")
    expect(estimate).to_be_visible(timeout=120_000)
    expect(page.get_by_text(re.compile("From n = . seeds"))).to_be_visible()
    expect(estimate.get_by_role("row", name="Student attempts")).to_contain_text("to")
    preview = page.url
    press(page, "l")
    page.wait_for_url(lambda url: url != preview)
    expect(page.get_by_text("Stopped with its goal met.")).to_be_visible(timeout=120_000)
    goal = page.get_by_role("table", name="Usable variants towards the goal")
    expect(goal.get_by_role("row", name="Deduction")).to_contain_text("met after")
    expect(page.locator(".course")).to_contain_text("not started")
    expect(page.locator(".course")).to_contain_text("of 100,000 attempts")
    run_id = int(page.url.rpartition("/")[2])
    assert refining.check(run_id).problems == ()
    assert refining.summary(run_id).main.chains_unstarted > 0
