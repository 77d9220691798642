"""Every component and chart in a real browser: accessible in both themes, at any width, by keyboard, or scriptless."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.support.gallery.app import create_app
from tests.support.gallery.content import Dense
from tests.support.keyboard import press


@pytest.fixture(scope="module")
def gallery() -> Iterator[str]:
    """The address of the gallery."""
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:  # connections wait there until the server accepts them
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/_gallery"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(("width", "theme"), [(1280, "Dark"), (360, "Light")])
def test_accessible_in_both_themes(page: Page, gallery: str, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(gallery)
    page.locator(".menu summary").click()
    page.get_by_role("button", name=theme).click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme.lower())
    for table in page.get_by_text("Table", exact=True).all():
        table.click()
    assert violations(page) == []
    page.get_by_role("button", name="keys").click()
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 390, 820, 1280, 2200])
def test_the_page_never_scrolls_sideways(page: Page, gallery: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(gallery)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_five_hundred_stones_stay_light(page: Page, gallery: str) -> None:
    page.goto(gallery + "/dense")
    assert page.locator("svg[data-map] a").count() == len(Dense().map.stones) >= 499
    assert page.evaluate("document.querySelectorAll('svg[data-map] *').length") <= 4_000
    assert page.locator("svg[data-map] a[tabindex='0']").count() == 1


def test_targets_are_24_px_or_more(page: Page, gallery: str) -> None:
    page.goto(gallery)
    small = page.evaluate(
        """[...document.querySelectorAll('button, input, select, summary, nav a, th a, .twist[href], .legend a')]
           .filter(e => e.checkVisibility() && !e.closest('svg'))
           .map(e => [e.outerHTML.slice(0, 90), e.closest('label, li, td') || e])
           .map(([html, e]) => [html, e.getBoundingClientRect()])
           .filter(([, box]) => box.height < 24 || box.width < 24).map(([html]) => html)"""
    )
    assert small == []


def test_keys(page: Page, gallery: str) -> None:
    page.goto(gallery)
    focused = page.locator(":focus")

    for key in "jjjk":
        press(page, key)
    expect(focused).to_have_text("2.1")
    press(page, "v")
    expect(page.get_by_label("Select 2.1", exact=True)).to_be_checked()
    press(page, "Enter")
    expect(page).to_have_url(gallery + "#2.1")

    press(page, "/")
    expect(focused).to_have_attribute("type", "search")
    page.keyboard.type("j?v")
    expect(focused).to_have_value("j?v")
    focused.blur()

    press(page, "?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Grow from here")
    keys.get_by_label("Switch single keys off").check()
    press(page, "Escape")
    press(page, "/")
    expect(page.get_by_role("searchbox")).not_to_be_focused()


def test_two_keys_go_to_a_page(page: Page, gallery: str) -> None:
    page.goto(gallery + "?q=1")
    press(page, "g")
    press(page, "r")
    expect(page).to_have_url(gallery)


def test_arrows_walk_trees_and_maps(page: Page, gallery: str) -> None:
    page.goto(gallery)
    focused = page.locator(":focus")

    page.locator("#grid a[href='#g4.2']").focus()
    press(page, "ArrowUp")
    expect(focused).to_have_text("4.1")
    press(page, "ArrowLeft")
    expect(focused).to_have_text("3.1")
    press(page, "End")
    expect(focused).to_have_text("6.1")

    page.locator("svg[data-map] a[data-node='2.1']").first.focus()
    press(page, "ArrowRight")
    expect(focused).to_have_attribute("data-node", "3.2")
    press(page, "ArrowDown")
    expect(focused).to_have_attribute("data-node", "3.1")
    press(page, "ArrowLeft")
    expect(focused).to_have_attribute("data-node", "2.1")


def test_a_fragment_is_swapped_in(page: Page, gallery: str) -> None:
    page.goto(gallery)
    page.evaluate("window.unchanged = true")
    page.locator("#part a[rel=next]").click()
    expect(page).to_have_url(gallery + "?page=2")
    expect(page.locator("#part")).not_to_have_attribute("aria-busy", "true")
    assert page.evaluate("window.unchanged")


def test_without_scripts(page: Page, gallery: str) -> None:
    assert page.context.browser is not None
    with page.context.browser.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        plain.goto(gallery)
        plain.locator(".menu summary").click()
        plain.get_by_role("button", name="Dark").click()
        expect(plain.locator("html")).to_have_attribute("data-theme", "dark")
        plain.get_by_role("link", name="Direction").click()
        expect(plain).to_have_url(gallery + "?sort=direction")
        expect(plain.get_by_role("button", name="Copy")).to_have_count(0)
        plain.locator("svg[data-map] a[data-node='3.2']").first.click()
        expect(plain).to_have_url(gallery + "?sort=direction#3.2")
