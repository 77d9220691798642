"""A real browser before the real application. Everything in this folder is a browser test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from tests.support.chromium import launch_options

PATIENCE_MS = 60_000  # only a failure waits for it: a busy machine is not one
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
_failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(scope="session")
def browser(web: str) -> Iterator[Browser]:
    """Started after the application, so that its event loop ends first."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, web: str, database: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh browser profile. Scripts that fail, a broken content policy and missing assets fail the test."""
    with browser.new_context(base_url=web, locale="en-GB", reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints = _complaints(page)
        yield page
        if request.node.stash.get(_failed, False):
            ARTIFACTS.mkdir(exist_ok=True)
            page.screenshot(path=ARTIFACTS / f"{request.node.name}.png", full_page=True)
    assert complaints == []


def _complaints(page: Page) -> list[str]:
    """A list that grows while the page is used."""
    complaints: list[str] = []

    def on_console(line: ConsoleMessage) -> None:
        # A refused form is answered 422, which the browser reports too: that is for the test itself to judge.
        if line.type in ("error", "warning") and not line.text.startswith("Failed to load resource"):
            complaints.append(line.text)

    def on_response(response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in ("script", "stylesheet", "image", "font"):
            complaints.append(f"{response.status} for {response.url}")

    page.on("console", on_console)
    page.on("response", on_response)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints
