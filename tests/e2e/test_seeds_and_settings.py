"""Signing in, bringing seeds and making a token, by keyboard and without JavaScript, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from app.features.seeds.service import import_path
from tests.support import builders
from tests.support.axe import violations
from tests.support.keyboard import press, sign_in

pytestmark = pytest.mark.usefixtures("broker")
WEIGHT_LIMIT = 85_000  # bytes of a first load
WEIGHT = """["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
    .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""
CODE = "def total(xs):\n    return sum(xs)\n"


@pytest.fixture
def ada(database: str) -> Actor:
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


@pytest.fixture
def link(ada: Actor) -> str:
    """Signs Ada in."""
    with unit_of_work() as session:
        return f"/signin/{accounts.create_sign_in_link(session, ada)}"


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    path = tmp_path / "functions.jsonl"
    path.write_text("".join(json.dumps({"text": CODE + f"# {n}\n", "licence": "MIT"}) + "\n" for n in range(12)))
    return path


@pytest.fixture
def plain(browser: Browser, web: str) -> Iterator[Page]:
    """A browser without JavaScript."""
    with browser.new_context(base_url=web, java_script_enabled=False) as context:
        yield context.new_page()


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the control of that name has the focus."""
    for _ in range(60):
        press(page, "Tab")
        focus = page.locator(":focus")
        if focus.count() and name in (focus.get_attribute("name"), focus.inner_text().strip()):
            return
    raise AssertionError(f"{name} is out of the keyboard's reach")


def test_from_the_link_to_a_set_of_seeds_by_keyboard(page: Page, link: str) -> None:
    sign_in(page, f"{link}?next=/seeds")
    expect(page.get_by_role("heading", name="No seeds yet")).to_be_visible()
    press(page, "n")
    expect(page.get_by_role("heading", name="Import seeds")).to_be_visible()
    tab_to(page, "pasted")
    page.keyboard.insert_text(CODE)
    tab_to(page, "name")
    page.keyboard.type("Mine")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Mine")).to_be_visible()
    expect(page.locator("pre.code")).to_contain_text("def total(xs):")
    press(page, "g")
    press(page, "s")
    expect(page.get_by_role("heading", name="Seeds")).to_be_visible()
    press(page, "j")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Mine")).to_be_visible()


def test_seeds_and_tokens_without_javascript(plain: Page, link: str, seeds: Path) -> None:
    plain.goto(f"{link}?next=/seeds/new")
    plain.get_by_role("button", name="Sign in").click()
    plain.get_by_label("File", exact=True).set_input_files(seeds)
    plain.get_by_role("button", name="Import").click()
    expect(plain.get_by_role("heading", name="functions.jsonl", exact=True)).to_be_visible()
    expect(plain.get_by_text("Imported 12 seeds.")).to_be_visible()
    plain.get_by_role("link", name="Next").click()
    expect(plain.locator("pre.code")).to_have_count(2)
    plain.goto("/settings")
    plain.get_by_label("Name").nth(1).fill("laptop")
    plain.get_by_role("button", name="Make a token").click()
    expect(plain.locator("#new-token")).to_contain_text("cairn_")
    plain.get_by_role("button", name="Revoke laptop").click()
    expect(plain.get_by_text("The token is revoked.")).to_be_visible()


def test_an_error_stands_beside_what_was_typed(page: Page, link: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "x = 1"}\n{"text": 7}\n')
    page.goto(f"{link}?next=/seeds/new")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("File", exact=True).set_input_files(bad)
    page.get_by_label("Name of the set").fill("Mine")
    page.get_by_role("button", name="Import").click()
    expect(page.locator("#file-error")).to_contain_text("bad.jsonl line 2, field text: It is a number, not text.")
    expect(page.get_by_label("Name of the set")).to_have_value("Mine")
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_keep_the_rules_of_accessibility_and_weight(
    page: Page, ada: Actor, link: str, seeds: Path, theme: Literal["light", "dark"]
) -> None:
    with unit_of_work() as session:
        set_id = import_path(session, ada, seeds).seed_set_id
    page.emulate_media(color_scheme=theme)
    for address in ("/signin", link):
        page.goto(address)
        assert violations(page) == [], address
    page.get_by_role("button", name="Sign in").click()
    for address in (
        "/seeds",
        f"/seeds/{set_id}",
        f"/seeds/{set_id}?q=nothing-has-this",
        "/seeds/new",
        "/settings",
        "/api/v1/docs",
        "/api/v1/docs?schema=ImportOut",
        "/seeds/999999",
    ):
        page.goto(address)
        weight = page.evaluate(WEIGHT)
        assert violations(page) == [], address
        assert weight < WEIGHT_LIMIT, (address, weight)
