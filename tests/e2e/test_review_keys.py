"""Looking through trees and deciding, by keyboard, in a real browser; and how these pages look to axe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.db import unit_of_work
from app.domain.actor import Actor
from app.events import publish
from app.features.accounts import service as accounts
from app.features.review import service as review
from app.features.review.schemas import Ballot
from app.models import Variant
from tests.support import builders
from tests.support.axe import violations
from tests.support.keyboard import press

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture
def ada(database: str) -> Actor:
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=3, state="finished").id


@pytest.fixture
def variants(run: int) -> dict[str, Variant]:
    """The first chain of the run by place."""
    with unit_of_work() as session:
        query = session.query(Variant).where(Variant.run_id == run).order_by(Variant.id).limit(7)
        return {f"{variant.turn}.{variant.branch}": variant for variant in query}


@pytest.fixture
def sign_in(web: str, page: Page) -> Callable[[Page, Actor], None]:
    def enter(browser_page: Page, actor: Actor) -> None:
        with unit_of_work() as session:
            link = accounts.create_sign_in_link(session, actor)
        browser_page.goto(f"{web}/signin/{link}")
        browser_page.locator("main button").click()
        browser_page.wait_for_url(re.compile(r"/runs"))

    return enter


@pytest.fixture
def adas(page: Page, ada: Actor, sign_in: Callable[[Page, Actor], None]) -> Page:
    """Ada's browser."""
    sign_in(page, ada)
    return page


def test_arrows_walk_the_tree_and_the_pane_follows(adas: Page, run: int, variants: dict[str, Variant]) -> None:
    adas.goto(f"/runs/{run}/tree?node={variants['2.1'].id}")
    heading = adas.locator("#detail h2").first
    expect(heading).to_have_text("2.1")
    press(adas, "ArrowDown")
    expect(heading).to_have_text("3.1")
    press(adas, "j")
    expect(heading).to_have_text("4.1")
    expect(adas.locator("#detail")).to_contain_text("does not always give the same outputs")
    expect(adas).to_have_url(re.compile(f"node={variants['4.1'].id}$"))
    expect(adas.locator("#tree [aria-selected=true]")).to_have_attribute("id", f"row-v{variants['4.1'].id}")
    press(adas, "ArrowUp")
    press(adas, "ArrowLeft")  # closes 3.1
    expect(adas.locator(f"#row-v{variants['3.1'].id}")).to_have_attribute("aria-expanded", "false")
    expect(adas.locator(f"#row-v{variants['4.1'].id}")).to_have_count(0)
    press(adas, "ArrowRight")
    expect(adas.locator(f"#row-v{variants['4.1'].id}")).to_have_count(1)
    press(adas, "o")
    adas.wait_for_url("**/variants/*")


def test_the_pane_shows_what_was_chosen_last_however_late_answers_come(
    adas: Page, run: int, variants: dict[str, Variant]
) -> None:
    adas.goto(f"/runs/{run}/tree?node={variants['2.1'].id}")
    slow = re.compile(f"node={variants['3.1'].id}$")
    with adas.expect_request(slow) as asked:
        adas.route(slow, lambda _: None)  # never answered
        press(adas, "ArrowDown")
    with adas.expect_event("requestfailed", lambda request: request == asked.value, timeout=20_000):
        press(adas, "ArrowDown")
    expect(adas.locator("#detail h2").first).to_have_text("4.1")


def test_deciding_in_the_tree_keeps_the_place(adas: Page, run: int, variants: dict[str, Variant]) -> None:
    adas.goto(f"/runs/{run}/tree?node={variants['3.1'].id}")
    review_cell = adas.locator(f"#review-{variants['3.1'].id}")
    press(adas, "a")
    expect(adas.get_by_role("status")).to_have_text("Approved 3.1.")
    expect(review_cell).to_have_text("approved")
    press(adas, "u")
    expect(review_cell).to_have_text("waiting")
    press(adas, "x")
    press(adas, "3")
    expect(review_cell).to_have_text("rejected")
    expect(adas.locator("#detail")).to_contain_text("Too trivial")
    press(adas, "ArrowDown")
    expect(adas.locator("#detail h2").first).to_have_text("4.1")


def test_a_stone_of_the_map_chooses_its_variant(adas: Page, run: int, variants: dict[str, Variant]) -> None:
    adas.goto(f"/runs/{run}/tree?node={variants['2.1'].id}")
    adas.locator("#detail [data-map] a[data-node='6.1']").click()
    expect(adas.locator("#detail h2").first).to_have_text("6.1")
    expect(adas.locator("#tree [aria-selected=true]")).to_have_attribute("id", f"row-v{variants['6.1'].id}")


def test_many_are_selected_counted_and_approved(adas: Page, run: int, variants: dict[str, Variant]) -> None:
    adas.goto(f"/runs/{run}/tree?node={variants['2.1'].id}")
    press(adas, "v")
    press(adas, "j")
    press(adas, "v")
    expect(adas.locator("[data-count]")).to_have_text("2")
    press(adas, "A")
    expect(adas.locator("h1")).to_have_text("Approve 2 variants?")
    press(adas, "a")
    expect(adas.get_by_role("status")).to_have_text("Approved 2 variants.")
    expect(adas.locator(f"#review-{variants['3.1'].id}")).to_have_text("approved")


def test_the_queue_by_keyboard(adas: Page, run: int) -> None:
    adas.goto(f"/review?run={run}&environment=induction&arm=main")
    heading = adas.locator("h1")
    expect(heading).to_contain_text("2.1")
    with adas.expect_request(lambda request: request.method == "POST") as sent:
        press(adas, "a")
    expect(heading).to_contain_text("3.1")
    assert sent.value.response().status == 200  # type: ignore[union-attr]
    press(adas, "s")
    expect(heading).to_contain_text("5.1")
    press(adas, "x")
    press(adas, "c")
    adas.keyboard.type("a tie rule is missing")
    press(adas, "Escape")
    adas.get_by_role("button", name="Unclear statement").click()
    expect(heading).to_contain_text("3.2")
    press(adas, "u")
    expect(heading).to_contain_text("5.1")
    expect(adas.locator(".pane")).to_contain_text("a tie rule is missing")
    press(adas, "u")
    expect(heading).to_contain_text("2.1")
    expect(adas.get_by_role("status")).to_contain_text("Took back: you approved 2.1.")


def test_two_people_decide_on_the_same_variant(
    adas: Page,
    ada: Actor,
    browser: Browser,
    web: str,
    sign_in: Callable[[Page, Actor], None],
    variants: dict[str, Variant],
) -> None:
    with unit_of_work() as session:
        grace = builders.member(session, ada, "Grace")
    path = f"/variants/{variants['3.1'].id}"
    with browser.new_context(base_url=web) as context:
        graces = context.new_page()
        sign_in(graces, grace)
        for page in (adas, graces):
            page.goto(path)
        press(graces, "a")
        expect(graces.get_by_role("status")).to_have_text("Approved 3.1.")
    press(adas, "x")
    press(adas, "c")
    adas.keyboard.type("which run wins?")
    adas.get_by_role("button", name="Unclear statement").click()
    expect(adas.get_by_role("alert")).to_contain_text("Grace approved 3.1 since you opened it")
    expect(adas.get_by_label("Comment on the rejection")).to_have_value("which run wins?")
    press(adas, "a")
    expect(adas.get_by_role("status")).to_have_text("Approved 3.1.")
    expect(adas.locator(".votes")).to_contain_text("Grace")


@pytest.fixture
def decided(ada: Actor, variants: dict[str, Variant]) -> Iterator[None]:
    """Both kinds of decisions on the screens."""
    with unit_of_work() as session:
        for place in ("2.1", "3.2"):
            hashed = variants[place].content_hash or ""
            review.decide(session, ada, variants[place].id, Ballot(kind="approve", content_hash=hashed))
        hashed = variants["3.1"].content_hash or ""
        rejection = Ballot(kind="reject", reason="leaks", comment="see line 2", content_hash=hashed)
        review.decide(session, ada, variants["3.1"].id, rejection)
    return


PAGES = {
    "tree": "/runs/{run}/tree?node={v[3.1]}",
    "chain": "/runs/{run}/tree?fold=true",
    "no match": "/runs/{run}/tree?q=nowhere",
    "variant": "/variants/{v[3.1]}",
    "split": "/variants/{v[3.2]}?mode=split&base=seed",
    "invalid": "/variants/{v[4.1]}",
    "attempts": "/variants/{v[3.1]}?tab=attempts",
    "reply": "/variants/{v[3.1]}?tab=reply",
    "prompt": "/variants/{v[3.1]}?tab=prompt",
    "provenance": "/variants/{v[3.1]}?tab=provenance",
    "runs": "/review",
    "queue": "/review?run={run}",
    "hidden": "/review?run={run}&environment=fuzzing&bin=easy-medium&arm=main",
    "approve": "/runs/{run}/approve?pick={v[5.1]}&pick={v[4.1]}",
}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_accessible_and_never_wider_than_the_window(
    adas: Page, run: int, variants: dict[str, Variant], decided: None, width: int, scheme: str
) -> None:
    adas.set_viewport_size({"width": width, "height": 800})
    adas.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    ids = {place: variant.id for place, variant in variants.items()}
    found: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        adas.goto(path.format(run=run, v=ids))
        if name == "queue":
            press(adas, "x")
        if broken := violations(adas):
            found[name] = broken
        if adas.evaluate("document.documentElement.scrollWidth") > width:
            found.setdefault(name, []).append("wider than the window")
    assert found == {}


def test_a_growing_tree_takes_new_variants_in_and_keeps_the_focus(adas: Page, ada: Actor) -> None:
    with unit_of_work() as session:
        growing = builders.run(session, ada)
        home = builders.chain(session, growing, state="open")
        first = builders.variant(session, home)
    adas.goto(f"/runs/{growing.id}/tree?node={first.id}")
    expect(adas.locator("#grid")).to_contain_text("1 variant · still growing")
    with unit_of_work() as session:
        parent = session.get_one(Variant, first.id)
        second = builders.variant(session, session.get_one(builders.Chain, home.id), turn=2, parent=parent)
        publish(session, ada.workspace_id, growing.id, "variant", second.id)
    expect(adas.locator(f"#row-v{second.id}")).to_be_visible()
    expect(adas.locator(f"#row-v{first.id} [data-follow]")).to_be_focused()
    press(adas, "ArrowDown")
    expect(adas.locator("#detail h2").first).to_have_text("2.1")
