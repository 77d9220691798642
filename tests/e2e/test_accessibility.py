"""Every page there is: axe in both themes, any width from 360 px, nothing the content policy stops, light first loads.

The pages are read from the application's own routes, so that a new one is covered as soon as it exists, and one that
nothing here leads to fails.
"""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import CDPSession, Page

from app.db import unit_of_work
from app.web import pages
from app.web.navigation import find_pages
from tests.support import builders, world
from tests.support.axe import violations
from tests.support.world import World

LOOKS = ((1280, "light"), (360, "dark"))
FIRST_LOAD = 80_000  # bytes over the wire, with an empty cache

# What answers a GET with something else than a page.
OTHER = {
    "/": "sends on to /runs",
    "/curricula/{curriculum_id}": "sends on to its newest version",
    "/benchmarks/{benchmark_set_id}/{item_id}": "sends on to the item's place in its set",
    "/seeds/{set_id}/{seed_id}": "sends on to the seed's place in its set",
    "/runs/{run_id:int}/config.yaml": "a file",
    "/runs/{run_id:int}/events": "a stream",
}
ANONYMOUS = ("/signin", "/signin/{token}")  # to somebody who is signed in they are closed

# The pages of a path where one sample is not enough, or where it says nothing without a query.
SAMPLES = {
    "/runs": ("/runs", "/runs?state=cancelled", "/runs?state=paused"),
    "/runs/new": ("/runs/new", "/runs/new?from={run_id}"),
    "/runs/{run_id:int}": ("/runs/{run_id}", "/runs/{paused_run_id}", "/runs/{limited_run_id}"),
    "/runs/{run_id:int}/diversity": (
        "/runs/{run_id}/diversity",
        "/runs/{paused_run_id}/diversity",
        "/runs/{limited_run_id}/diversity",
    ),
    "/runs/{run_id}/tree": ("/runs/{run_id}/tree", "/runs/{run_id}/tree?node={invalid_id}"),
    "/runs/{run_id}/approve": ("/runs/{run_id}/approve?pick={variant_id}",),
    "/variants/{variant_id}": ("/variants/{variant_id}", "/variants/{invalid_id}"),
    "/variants/{variant_id}/grow": ("/variants/{variant_id}/grow", "/variants/{invalid_id}/grow"),
    "/remeasurements/new": ("/remeasurements/new?run={run_id}", "/remeasurements/new?pick={invalid_id}"),
    "/review": ("/review", "/review?run={run_id}"),
    "/curricula/{curriculum_id}/v{number}": ("/curricula/{curriculum_id}/v1", "/curricula/{curriculum_id}/v2"),
    "/curricula/{curriculum_id}/diff": ("/curricula/{curriculum_id}/diff?base=1&to=2",),
}


def page_paths() -> list[str]:
    """The paths of all pages, as their modules declare them."""
    routes = [route for found in find_pages(pages) for route in found.router.routes if isinstance(route, APIRoute)]
    paths = [route.path for route in routes if "GET" in route.methods]
    gone = (OTHER.keys() | SAMPLES.keys() | set(ANONYMOUS)) - set(paths)
    assert not gone, f"named here, and no longer there: {gone}"
    return [path for path in paths if path not in OTHER]


class Traffic:
    """What the browser fetches for a page whose every part it has forgotten."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        session: CDPSession = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.on("Network.loadingFinished", self._count)

    def _count(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])


@pytest.fixture
def workspace(database: str, broker: str) -> World:
    with unit_of_work() as session:
        return world.make(session, builders.owner(session, "Ada"))


def test_every_page(page: Page, workspace: World) -> None:
    traffic = Traffic(page)
    page.set_default_timeout(30_000)
    wrong: list[str] = []

    def look_at(address: str) -> None:
        traffic.bytes = 0
        answer = page.goto(address)
        assert answer is not None
        if answer.status != 200:
            wrong.append(f"{address} answers {answer.status}")
        if traffic.bytes > FIRST_LOAD:
            wrong.append(f"{address} weighs {traffic.bytes} bytes")
        for width, theme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{address} is {wide} px wide in a window of {width}")
            wrong.extend(f"{address} ({theme}, {width} px): {found}" for found in violations(page))

    paths = page_paths()
    for path in ANONYMOUS:
        look_at(workspace.address(path))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs")
    for path in paths:
        if path not in ANONYMOUS:
            for sample in SAMPLES.get(path, (path,)):
                look_at(workspace.address(sample))
    assert not wrong, "\n".join(wrong)
