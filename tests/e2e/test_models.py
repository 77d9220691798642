"""Model servers while they work: their figures follow by themselves, on a run's page and on a page of their own."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from app.features.servers import store
from app.features.servers.schemas import LaneReport, RoleReport, Saturation, ServerReport
from tests.support import builders
from tests.support.axe import violations
from tests.support.keyboard import press, sign_in


@pytest.fixture
def ada(database: str, broker: str) -> Actor:
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


def tell(workspace_id: int, run_id: int, running: int, *, away: bool = False) -> None:
    """What a lane would say."""
    said = Saturation(running=running, waiting=3, cache=0.9, preempted=1, tokens_per_s=900.0, prefix_hits=0.4)
    servers = tuple(
        ServerReport(address=f"http://gpu-{n}:8000/v1", model="m", away=gone, under_way=8, saturation=words)
        for n, gone, words in ((1, False, said), (2, away, None))
    )
    role = RoleReport(role="student", limit=64, under_way=16, servers=servers)
    store.put(workspace_id, run_id, "a-lane", LaneReport(roles=(role,)))


def test_servers_follow_without_a_reload_and_lead_to_their_runs(page: Page, ada: Actor) -> None:
    with unit_of_work() as session:
        run = builders.grown_run(session, ada, chains=2, attempts=False, name="A busy one")
        link = accounts.create_sign_in_link(session, ada)
    tell(run.workspace_id, run.id, running=41)
    sign_in(page, f"/signin/{link}?next=/runs/{run.id}")
    rows = page.get_by_role("region", name="Model servers in use").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("41")
    assert violations(page) == []
    page.evaluate("window.mark = 'the page that was loaded'")
    tell(run.workspace_id, run.id, running=57, away=True)
    expect(rows.nth(1)).to_contain_text("57")
    expect(rows.nth(2)).to_contain_text("circuit open")
    assert page.evaluate("window.mark") == "the page that was loaded"
    press(page, "g", "m")
    page.wait_for_url("**/models")
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    press(page, "j")
    expect(page.get_by_role("link", name="A busy one").first).to_be_focused()
    press(page, "Enter")
    page.wait_for_url(f"**/runs/{run.id}")
