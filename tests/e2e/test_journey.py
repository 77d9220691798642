"""The whole way, from a sign-in link to files that a trainer loads: by keyboard alone, and without JavaScript."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Download, Locator, Page, expect
from sqlalchemy import text

from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.seeds import stdlib_snippets
from app.features.accounts import service as accounts
from app.local.supervisor import Supervisor
from app.models import CurriculumVersion
from tests.support import builders
from tests.support.keyboard import press, sign_in
from tests.support.loading import load_with_datasets

RUN_MS = 180_000  # patience with a run; it takes seconds on an idle machine


@pytest.fixture
def ada(database: str, broker: str) -> Actor:
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


@pytest.fixture
def link(ada: Actor) -> str:
    """Signs Ada in, once."""
    with unit_of_work() as session:
        return f"/signin/{accounts.create_sign_in_link(session, ada)}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two pieces of real code."""
    path = tmp_path / "standard-library.jsonl"
    found = stdlib_snippets(2, random.Random(11))
    path.write_text("".join(json.dumps({"text": seed.text, "source": seed.source}) + "\n" for seed in found))
    return path


@pytest.fixture
def plain(browser: Browser, web: str) -> Iterator[Page]:
    """A browser without JavaScript."""
    with browser.new_context(base_url=web, java_script_enabled=False, accept_downloads=True) as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        yield page


class Keyboard:
    """Somebody who never touches the mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        press(self.page, *keys)

    def go_to(self, target: Locator) -> None:
        """Presses Tab until `target` has the focus, from wherever that is."""
        expect(target).to_be_visible()
        for _ in range(150):
            if target.evaluate("(element) => element === document.activeElement"):
                return
            self.press("Tab")
        raise AssertionError(f"the keyboard does not reach {target}")

    def type(self, target: Locator, words: str) -> None:
        """A field that Tab reaches is selected as a whole, so that what is typed takes its place."""
        self.go_to(target)
        self.page.keyboard.type(words)

    def download(self, target: Locator) -> Download:
        self.go_to(target)
        with self.page.expect_download() as started:
            self.press("Enter")
        return started.value


def test_by_keyboard(page: Page, worker: Supervisor, ada: Actor, link: str, file: Path, tmp_path: Path) -> None:
    page.set_default_timeout(20_000)
    # From the start: a chooser that opens while the browser is still being told to ask here would ask nobody.
    page.on("filechooser", lambda chooser: chooser.set_files(file))
    keys = Keyboard(page)
    sign_in(page, link)
    page.wait_for_url("**/runs")

    keys.press("g", "s")
    expect(page.get_by_role("heading", name="No seeds yet")).to_be_visible()
    keys.press("n")
    page.wait_for_url("**/seeds/new")  # with its first focus, which would else come between
    keys.go_to(page.get_by_label("File", exact=True))
    keys.press("Space")
    expect(page.get_by_label("File", exact=True)).to_have_value(re.compile(re.escape(file.name)))
    keys.type(page.get_by_label("Name of the set"), "Mine")
    keys.press("Enter")
    expect(page.get_by_text("Imported 2 seeds.")).to_be_visible()

    keys.press("n")
    expect(page.get_by_role("heading", name="New run")).to_be_visible()
    keys.go_to(page.get_by_role("link", name="quick"))
    keys.press("Enter")
    page.wait_for_url("**from=quick**")
    keys.type(page.get_by_label("Name of the run"), "The first")
    keys.type(page.get_by_label("Turns", exact=True), "3")
    keys.type(page.get_by_label("Attempts", exact=True), "8")
    expect(page.get_by_text("up to 192")).to_be_visible()  # 2 seeds, 4 environments, 3 turns, 8 attempts
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    run = re.sub(r".*/", "", page.url)
    expect(page.locator("#live .head .badge")).to_have_text("finished", timeout=RUN_MS)  # nobody has reloaded the page
    expect(page.get_by_text("24 of 24 turns")).to_be_visible()

    keys.press("t")
    expect(page.get_by_role("treegrid")).to_be_visible()
    place = walk_to_something_usable(keys)
    expect(page.locator("#detail").get_by_role("heading", name=place)).to_be_visible()  # the pane follows the keys
    keys.press("o")
    page.wait_for_url("**/variants/**")
    variant = int(re.sub(r".*/", "", page.url))
    keys.press("a")
    expect(page.locator(".head").get_by_text("approved", exact=True)).to_be_visible()

    keys.press("g", "q")
    page.wait_for_url("**/review")
    keys.press("j", "Enter")
    page.wait_for_url("**/review?run=*")
    waiting = page.get_by_text(re.compile(r"\d+ of \d+ decided"))
    expect(waiting).to_contain_text("1 of")
    keys.press("x", "1")
    expect(waiting).to_contain_text("2 of")
    keys.press("u")
    expect(waiting).to_contain_text("1 of")
    keys.press("x", "2")
    expect(waiting).to_contain_text("2 of")
    total = int(re.findall(r"of (\d+)", waiting.inner_text())[0])
    for decided in range(3, total + 1):
        keys.press("a")
        if decided < total:
            expect(waiting).to_contain_text(f"{decided} of")
    expect(page.get_by_role("heading", name="Done")).to_be_visible()

    keys.press("g", "c")
    page.wait_for_url("**/curricula")
    keys.press("n")
    page.wait_for_url("**/curricula/new")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("First steps")
    keys.press("Enter")
    page.wait_for_url("**/v1")
    expect(page.get_by_text(f"Freeze {total - 1} problems")).to_be_visible()
    keys.press("f")
    expect(page.get_by_text("frozen", exact=True)).to_be_visible()
    files = [keys.download(page.get_by_role("link", name=name)).path() for name in ("train.jsonl", "train.parquet")]

    keys.go_to(page.locator(".menu summary"))
    keys.press("Enter")
    keys.go_to(page.get_by_role("button", name="Sign out"))
    keys.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto(f"/runs/{run}")
    page.wait_for_url("**/signin?next=**")

    rows = check_files(page, ada, tmp_path, *files)
    assert len(rows) == total - 1
    assert variant in approved(int(run))


def walk_to_something_usable(keys: Keyboard) -> str:
    """j goes down row by row; a box marks what may be approved. Returns the place of the variant, such as 2.1."""
    row = keys.page.locator("[role=treegrid] tr:focus-within")
    for _ in range(60):
        keys.press("j")
        if row.locator("input[type=checkbox]").count() and row.get_by_text("waiting").count():
            return row.locator("[data-open]").inner_text()
    raise AssertionError("the run grew nothing usable")


def test_without_javascript(plain: Page, worker: Supervisor, ada: Actor, link: str, file: Path, tmp_path: Path) -> None:
    page = plain
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Import seeds").click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Import").click()
    page.get_by_role("link", name="New run from this set").click()
    page.get_by_role("link", name="quick").click()
    page.get_by_label("Turns", exact=True).fill("0")
    page.get_by_label("Attempts", exact=True).fill("8")
    page.get_by_label("Fuzzing", exact=True).uncheck()
    page.get_by_role("button", name="Launch").last.click()
    expect(page.get_by_role("alert")).to_contain_text("turns")
    expect(page.get_by_label("Attempts", exact=True)).to_have_value("8")
    page.get_by_label("Turns", exact=True).fill("3")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("up to 144")).to_be_visible()
    page.get_by_role("button", name="Launch").last.click()
    expect(page.get_by_text("The run has started.")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    for _ in range(RUN_MS // 500):
        if page.locator("#live .head .badge").inner_text() == "finished":
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_text("18 of 18 turns")).to_be_visible()

    page.get_by_role("link", name="Tree").click()
    box = page.locator("[role=treegrid] tr").filter(has_text="waiting").first
    box.get_by_role("link").last.click()
    page.locator("#detail").get_by_role("link", name="Open").click()
    page.wait_for_url("**/variants/*")
    page.locator("#approve").click()
    expect(page.locator(".head").get_by_text("approved", exact=True)).to_be_visible()
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_role("table").get_by_role("link").first.click()
    waiting = page.get_by_text(re.compile(r"\d+ of \d+ decided"))
    total = int(re.findall(r"of (\d+)", waiting.inner_text())[0])
    page.get_by_text("Reject", exact=False).first.click()
    page.locator(".reasons button").first.click()
    expect(waiting).to_contain_text("2 of")
    page.get_by_role("button", name="Undo").click()
    expect(waiting).to_contain_text("1 of")
    for decided in range(2, total + 1):
        page.locator("#approve").click()
        if decided < total:
            expect(waiting).to_contain_text(f"{decided} of")
    page.get_by_role("link", name="Build a curriculum").click()
    page.get_by_role("link", name="New curriculum").first.click()
    page.get_by_label("Name").fill("First steps")
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_role("button", name=f"Freeze {total} problems").click()
    files = []
    for name in ("train.jsonl", "train.parquet"):
        with page.expect_download() as started:
            page.get_by_role("link", name=name).click()
        files.append(started.value.path())
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert len(check_files(page, ada, tmp_path, *files)) == total


def check_files(page: Page, ada: Actor, folder: Path, jsonl: Path, parquet: Path) -> list[dict[str, Any]]:
    """The rows, which `datasets` reads alike from both files, and which are what the API and the database hold."""
    with unit_of_work() as session:
        token = accounts.create_api_token(session, ada, "trainer", "read", 1)
        stored = session.execute(text("select row from curriculum_item order by position")).scalars().all()
        frozen = session.query(CurriculumVersion).one()
    address = f"/api/v1/curricula/{frozen.curriculum_id}/revisions/{frozen.content_hash}"
    headers = {"Authorization": f"Bearer {token}"}
    for name, path in (("train.jsonl", jsonl), ("train.parquet", parquet)):
        answer = page.request.get(f"{address}/files/{name}", headers=headers)
        assert answer.status == 200
        assert answer.body() == path.read_bytes()
    rows: list[dict[str, Any]] = load_with_datasets(folder, jsonl.read_bytes(), parquet.read_bytes())["rows"]
    assert [json.loads(line) for line in jsonl.read_text().splitlines()] == [json.loads(row) for row in stored]
    assert [row["id"] for row in rows] == [json.loads(row)["id"] for row in stored]
    assert [row["problem"] for row in rows] == [json.loads(row)["problem"] for row in stored]
    return rows


def approved(run_id: int) -> list[int]:
    with unit_of_work() as session:
        statement = text("select id from variant where run_id = :run and review = 'approved'")
        return list(session.execute(statement, {"run": run_id}).scalars())
