"""A run is embedded from its page, by keyboard, by a real worker and a server that speaks the API."""

from __future__ import annotations

import re

import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Page, expect

from app.db import unit_of_work
from app.features.accounts import service as accounts
from tests.support import builders
from tests.support.model_server import saying, serve


@pytest.mark.usefixtures("worker")
def test_from_the_form_to_the_closest_pair(page: Page, portal: BlockingPortal) -> None:
    with unit_of_work() as session:
        actor = builders.owner(session, "Ada")
        run = builders.grown_run(session, actor, chains=4, state="finished", attempts=False)
        builders.grown_chain(session, run, 4, attempts=False)
        builders.sketches(session, run)
        token = accounts.create_sign_in_link(session, actor)

    page.goto(f"/signin/{token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs")
    page.goto(f"/runs/{run.id}/diversity")
    section = page.locator("#embeddings")
    section.get_by_label("Model").fill("small")
    section.get_by_label("Base URL").fill("nowhere")
    page.keyboard.press("Enter")
    expect(section).to_contain_text("This must be an address")
    with portal.wrap_async_context_manager(serve(saying(""))) as server:
        section.get_by_label("Base URL").fill(server.url)
        page.keyboard.press("Enter")
        # The page asks by itself, until the worker is done.
        expect(section.get_by_role("table", name="By environment, by the vectors of small")).to_be_visible()
    expect(section.get_by_role("button", name="Embed again")).to_be_hidden()
    closest = section.get_by_role("table", name="Closest pairs of different trees")
    closest.get_by_role("link", name=re.compile("of chain")).first.press("Enter")
    expect(page).to_have_url(re.compile(r"/variants/\d+$"))
