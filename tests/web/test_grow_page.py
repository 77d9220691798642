"""Asking for branches from a page, as a browser without JavaScript does; and where pages tell of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.models import Growth, Run, Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.counting import statements


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=1, state="finished").id


@pytest.fixture
def family(run: int) -> dict[str, Variant]:
    """The run's own chain by place."""
    with unit_of_work() as session:
        query = session.query(Variant).where(Variant.run_id == run).order_by(Variant.id).limit(7)
        return {f"{v.turn}.{v.branch}": v for v in query}


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def hidden(html: str) -> dict[str, str]:
    form = next(f for f in re.findall(r"<form.*?</form>", html, re.DOTALL) if 'name="direction"' in f)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def asked() -> list[Growth]:
    with unit_of_work() as session:
        return session.query(Growth).order_by(Growth.id).all()


def test_asking_from_the_form(page: Visitor, run: int, family: dict[str, Variant]) -> None:
    path = f"/variants/{family['3.1'].id}/grow"
    shown = page.get(path)
    told = text_of(shown.text)
    assert "easier, aimed at 0.35 to 0.65" in told
    assert "harder, aimed at 0.00 to 0.12" in told
    assert "vary, aimed at 0.10 to 0.26" in told
    assert "The run is finished: it runs again for these branches alone" in told
    assert "can't follow words" in told, "the teacher of this run is the procedural one"
    assert f'href="{path}"' in page.get(f"/variants/{family['3.1'].id}").text
    typed = hidden(shown.text) | {"direction": "easier", "instruction": " Shorter. ", "children": "2", "turns": "3"}
    answer = page.submit(path, typed)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    (growth,) = asked()
    assert (growth.direction, growth.instruction, growth.children, growth.turns) == ("easier", "Shorter.", 2, 3)
    told = text_of(page.get(path).text)
    assert "Asked for 2 children easier, 3 turns deep from 3.1. The run is finished: it runs again" in told
    assert "turn 1 of 3 Ada just now : easier, 2 children, 3 turns" in told
    with unit_of_work() as session:
        assert session.get_one(Run, run).state == "running"
    again = page.submit(path, typed)
    assert again.status_code == 303
    assert len(asked()) == 1
    assert "You asked for this already" in text_of(page.get(path).text)


@pytest.mark.parametrize(
    ("wrong", "name", "message"),
    [
        ({"direction": "repair"}, "direction", "3.1 is valid: there is nothing to repair."),
        ({"direction": "sideways"}, "direction", "This must be 'easier', 'harder', 'vary' or 'repair'."),
        ({"direction": ""}, "direction", "This must be"),
        ({"children": "9"}, "children", "This must be 8 or less."),
        ({"children": "none"}, "children", "This must be a whole number."),
        ({"turns": "0"}, "turns", "This must be 1 or more."),
        ({"instruction": "x" * 2_001}, "instruction", "This must have at most 2,000 characters."),
    ],
)
def test_errors_stand_at_their_field_and_keep_what_was_typed(
    page: Visitor, family: dict[str, Variant], wrong: dict[str, str], name: str, message: str
) -> None:
    path = f"/variants/{family['3.1'].id}/grow"
    answer = page.submit(path, {"direction": "harder", "instruction": "<b>Ties</b>", "children": "2"} | wrong)
    assert answer.status_code == 422
    at_field = re.search(rf'id="{name}-error">([^<]+)', answer.text)
    assert at_field, name
    assert message in unescape(at_field.group(1))
    assert "<b>Ties</b>" not in answer.text
    if name != "instruction":
        assert "&lt;b&gt;Ties&lt;/b&gt;</textarea>" in answer.text
    assert asked() == []


def test_an_invalid_variant_offers_repair_alone(page: Visitor, family: dict[str, Variant]) -> None:
    path = f"/variants/{family['4.1'].id}/grow"
    html = page.get(path).text
    assert re.findall(r'type="radio" name="direction" value="(\w+)" checked', html) == ["repair"]
    refused = page.submit(path, {"direction": "harder"})
    assert refused.status_code == 422
    assert "4.1 is invalid, and can only be repaired." in text_of(refused.text)


def test_archived_runs_and_unfinished_variants_take_nothing(
    page: Visitor, run: int, family: dict[str, Variant]
) -> None:
    with unit_of_work() as session:
        home = session.get_one(builders.Chain, family["3.1"].chain_id)
        waiting = builders.variant(session, home, turn=9, stage="checked").id
    path = f"/variants/{waiting}/grow"
    assert "9.1 is still being checked or measured" in text_of(page.get(path).text)
    assert page.submit(path, {"direction": "harder"}).status_code == 409
    assert page.submit(f"/runs/{run}/state", {"action": "archive"}).status_code == 303
    path = f"/variants/{family['3.1'].id}/grow"
    assert "The run is archived: restore it" in text_of(page.get(path).text)
    assert page.submit(path, {"direction": "harder"}).status_code == 409
    assert asked() == []


def test_viewers_may_look_and_not_ask_and_others_find_nothing(
    signed_in: Callable[[Actor], Visitor], ada: Actor, family: dict[str, Variant]
) -> None:
    with unit_of_work() as session:
        viewer, stranger = builders.member(session, ada, "Vera", Role.VIEWER), builders.owner(session, "Eve")
        growth = builders.growth(session, ada, session.get_one(Variant, family["3.1"].id), state="open").id
    vera, eve = signed_in(viewer), signed_in(stranger)
    path = f"/variants/{family['3.1'].id}/grow"
    assert "This needs the role member" in text_of(vera.get(path).text)
    form = {"direction": "harder"}
    assert vera.submit(path, form).status_code == 403
    assert vera.submit(f"/growths/{growth}/cancel").status_code == 403
    assert eve.get(path).status_code == 404
    assert eve.submit(path, form).status_code == 404
    assert eve.submit(f"/growths/{growth}/cancel").status_code == 404
    assert len(asked()) == 1


def test_cancelling_from_the_page(page: Visitor, ada: Actor, family: dict[str, Variant]) -> None:
    with unit_of_work() as session:
        growth = builders.growth(session, ada, session.get_one(Variant, family["3.1"].id), state="open").id
    path = f"/variants/{family['3.1'].id}/grow"
    assert f'action="/growths/{growth}/cancel"' in page.get(path).text
    assert page.submit(f"/growths/{growth}/cancel").headers["location"] == path
    assert "cancelled Ada just now" in text_of(page.get(path).text)
    assert page.submit(f"/growths/{growth}/cancel").status_code == 409


@pytest.fixture
def child(ada: Actor, family: dict[str, Variant]) -> Variant:
    """Grown on Ada's request."""
    with unit_of_work() as session:
        growth = builders.growth(session, ada, session.get_one(Variant, family["3.1"].id), "Let <ties> matter.")
        return session.query(Variant).where(Variant.growth_id == growth.id).one()


def test_pages_tell_what_was_asked_for(page: Visitor, run: int, family: dict[str, Variant], child: Variant) -> None:
    story = "rown by Ada on request: harder, from 3.1: “Let <ties> matter.”"
    assert story in text_of(page.get(f"/variants/{child.id}").text)
    assert f"Why it grew g{story}" in text_of(page.get(f"/variants/{child.id}?tab=provenance").text)
    assert "by the run's own course" in text_of(page.get(f"/variants/{family['3.1'].id}?tab=provenance").text)
    tree = page.get(f"/runs/{run}/tree?node={child.id}")
    assert story in text_of(tree.text)
    row = re.search(rf'<tr id="row-v{child.id}".*?</tr>', tree.text, re.DOTALL)
    assert row
    assert "on request" in text_of(row.group(0))
    assert "grown on request" in tree.text, "the mark of the map says so"
    assert text_of(page.get(f"/runs/{run}/tree?asked=true").text).count("1 of 10 variants match") == 1
    assert "9 of 10 variants match" in text_of(page.get(f"/runs/{run}/tree?asked=false").text)


def test_yields_leave_out_what_was_asked_for(page: Visitor, run: int, family: dict[str, Variant], ada: Actor) -> None:
    def figures() -> list[list[str]]:
        shown = [page.get(path).text for path in (f"/runs/{run}", "/runs")]
        return [re.findall(r"<title>([^<]*teacher calls gave a usable variant[^<]*)", html) for html in shown]

    before = figures()
    assert all(before)
    with unit_of_work() as session:
        builders.growth(session, ada, session.get_one(Variant, family["3.1"].id))
    assert figures() == before
    html = page.get(f"/runs/{run}").text
    assert "1 usable of 1 grown on 1 request" in text_of(html)
    for href in re.findall(r'href="(/runs/\d+/tree\?arm=main&amp;usable=true[^"]*)"', html):
        assert "asked=false" in href


def test_queries_do_not_grow_with_requests(page: Visitor, ada: Actor, run: int, family: dict[str, Variant]) -> None:
    paths = [f"/variants/{family['3.1'].id}/grow", f"/variants/{family['3.1'].id}", f"/runs/{run}/tree"]

    def cost() -> list[int]:
        counts = []
        for path in paths:
            with statements() as found:
                assert page.get(path).status_code == 200
            counts.append(len(found))
        return counts

    few = cost()
    with unit_of_work() as session:
        for _ in range(5):
            builders.growth(session, ada, session.get_one(Variant, family["3.1"].id))
    assert cost() == few
    assert max(few) <= 26
