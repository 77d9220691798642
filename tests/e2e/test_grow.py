"""Growing from a variant by keyboard, with a real worker that grows what was asked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from app.db import unit_of_work
from app.features.accounts import service as accounts
from app.models import Variant
from tests.support import refining
from tests.support.keyboard import press, sign_in

pytestmark = pytest.mark.usefixtures("worker")


def test_a_branch_is_asked_for_and_grows_while_one_looks(page: Page) -> None:
    actor = refining.owner_with_seeds(1)
    run_id = refining.start(actor, environments=["deduction"], turns=2)
    refining.wait_until(lambda: refining.state(run_id) == "finished", "the run to end")
    with unit_of_work() as session:
        query = session.query(Variant).where(Variant.run_id == run_id, Variant.invalid_code.is_(None))
        origin = query.order_by(Variant.turn).limit(1).one()
        link = accounts.create_sign_in_link(session, actor)
    sign_in(page, f"/signin/{link}")
    page.wait_for_url(re.compile(r"/runs"))
    page.goto(f"/variants/{origin.id}")
    press(page, "?")
    expect(page.locator("#keys [data-page-keys]")).to_contain_text("grow branches from here")
    press(page, "Escape", "b")
    page.wait_for_url("**/grow")
    press(page, "i")
    expect(page.get_by_label("Instruction to the teacher")).to_be_focused()
    page.keyboard.type("Fewer steps.")
    press(page, "Shift+Tab", "ArrowUp", "ArrowUp", "ArrowDown")
    chosen = page.locator("input[name=direction]:checked")
    expect(chosen).to_be_focused()
    direction = chosen.get_attribute("value")
    press(page, "Tab", "Tab")
    expect(page.get_by_label("Children")).to_be_focused()
    page.keyboard.type("2")
    press(page, "Enter")
    expect(page.get_by_role("status")).to_contain_text(f"Asked for 2 children {direction} from {origin.turn}.1.")
    expect(page.get_by_role("status")).to_contain_text("runs again for these branches alone")
    asked = page.get_by_role("region", name="Asked for here")
    expect(asked).to_contain_text("done")
    expect(asked.get_by_role("link")).to_have_count(2)
    expect(asked).to_contain_text("“Fewer steps.”")
    asked.get_by_role("link").first.focus()
    press(page, "Enter")
    expect(page.locator(".facts")).to_contain_text("asked for it")
    assert refining.check(run_id).problems == ()
    assert refining.state(run_id) == "finished"
