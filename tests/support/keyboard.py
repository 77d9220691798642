"""Keys as a person presses them: after the page has come, not while its scripts and its first focus are on the way."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def press(page: Page, *keys: str) -> None:
    """One key after another."""
    for key in keys:
        page.wait_for_load_state()
        page.keyboard.press(key)


def sign_in(page: Page, link: str) -> None:
    """Follows a one-time link; its only button has the focus. The page behind it has its scripts when this returns."""
    page.goto(link)
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    press(page, "Enter")
    page.wait_for_url(lambda url: "/signin" not in url)
