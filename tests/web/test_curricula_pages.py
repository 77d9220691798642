"""The pages of curricula as a browser without JavaScript sees them, and htmx's fragments."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event, update

from app import db
from app.db import unit_of_work
from app.domain.actor import Actor
from app.models import Measurement, Variant
from tests.support import builders
from tests.support.browsing import Visitor

PATH = "/curricula/1/v1"


@pytest.fixture
def workspace(page: Visitor, ada: Actor) -> Visitor:
    """Ada's browser; her workspace holds a run of eight chains, of which everything valid is approved."""
    with unit_of_work() as session:
        builders.grown_run(session, ada, chains=8, attempts=False)
        session.execute(update(Variant).where(Variant.problem.is_not(None)).values(review="approved"))
    return page


def create(page: Visitor, name: str = "First steps", **fields: Any) -> Visitor:
    answer = page.submit("/curricula/new", {"name": name, "approved_only": "true", **fields})
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)
    return page


def freeze(page: Visitor) -> None:
    seen = re.search(r'name="seen" value="(\w+)"', page.get(PATH).text)
    assert seen
    assert page.submit(f"{PATH}/freeze", {"seen": seen.group(1)}).status_code == 303


def test_an_empty_list_says_what_a_curriculum_is(page: Visitor) -> None:
    text = page.get("/curricula").text
    assert "No curriculum yet" in text
    assert "/curricula/new" in text


def test_from_a_selection_to_files(workspace: Visitor) -> None:
    page = create(workspace)
    draft = page.get(PATH).text
    assert re.search(r'name="seed" type="number" value="0"', draft)
    assert re.search(r"<b>\d+</b> problems", draft)
    assert "Left out" in draft
    freeze(page)
    frozen = page.get(PATH).text
    assert "train.parquet" in frozen
    assert "Authorization: Bearer" in frozen
    assert "load_dataset" in frozen
    assert 'name="bin_set"' not in frozen, "nothing of a frozen version can be edited"
    href = re.search(r'href="([^"]+/files/train\.jsonl)"', frozen)
    assert href
    assert page.get(href.group(1)).status_code == 200, "the browser's session may download"
    assert re.search(r"<code>[0-9a-f]{7,12}</code>", page.get("/curricula").text)


def test_a_change_of_the_draft_answers_htmx_with_the_figures_alone(workspace: Visitor) -> None:
    page = create(workspace)
    fields = {"environments": ["deduction"], "approved_only": "true", "csrf": page.csrf(PATH)}
    answer = page.post(PATH, data=fields, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'href="/curricula/1/v1/problems?environment=deduction"' in answer.text
    assert "environment=induction" not in answer.text
    assert 'value="deduction" checked' in page.get(PATH).text, "the draft keeps it"


def test_a_selection_that_gives_nothing_says_what_to_do(workspace: Visitor) -> None:
    page = create(workspace, environments=["no such"])
    text = page.get(PATH).text
    assert "No problem matches" in text
    assert "The selection is empty" in text
    assert "/freeze" not in text


def test_a_wrong_field_keeps_what_was_typed_and_changes_nothing(workspace: Visitor) -> None:
    page = create(workspace)
    answer = page.submit(PATH, {"maximum": "0", "seed": "77", "approved_only": "true"})
    assert answer.status_code == 422
    assert 'id="maximum-error"' in answer.text
    assert 'value="77"' in answer.text
    assert 'value="77"' not in page.get(PATH).text


@pytest.mark.parametrize("name", ["", "First steps"])
def test_a_wrong_name_is_told_at_its_field(workspace: Visitor, name: str) -> None:
    page = create(workspace)
    answer = page.submit("/curricula/new", {"name": name, "order": "shuffled"})
    assert answer.status_code == 422
    assert 'id="name-error"' in answer.text
    assert '<option value="shuffled" selected>' in answer.text


def test_what_blocks_freezing_is_said_and_there_is_no_button(workspace: Visitor) -> None:
    page = create(workspace)
    with unit_of_work() as session:
        session.execute(update(Measurement).where(Measurement.passed == 14).values(rate=None))
    text = page.get(PATH).text
    assert "Can&#39;t be frozen yet" in text
    assert "/freeze" not in text
    assert "left_out=unmeasured" in text


def test_freezing_what_has_changed_since_is_refused_in_place(workspace: Visitor) -> None:
    page = create(workspace)
    answer = page.submit(f"{PATH}/freeze", {"seen": "0" * 16})
    assert answer.status_code == 409
    assert "something else now" in answer.text
    assert "as version 1" in answer.text, "the button to freeze what is there now"


def test_every_figure_leads_to_the_problems_behind_it(workspace: Visitor) -> None:
    page = create(workspace)
    for state in ("draft", "frozen"):
        text = page.get(PATH).text
        for href, count in re.findall(r'<a href="(/curricula/1/v1/problems\?[^"]*difficulty=[^"]*)">(\d+)</a>', text):
            listed = page.get(href.replace("&amp;", "&")).text
            assert len(re.findall(r'data-open href="/variants/\d+"', listed)) == int(count)
        if state == "draft":
            freeze(page)


def test_what_is_left_out_is_listed_by_reason(workspace: Visitor) -> None:
    page = create(workspace, bins=["hard"])
    text = page.get(PATH).text
    found = re.findall(r'left_out=(\w+)">[^<]*</a></dt><dd>(\d+)</dd>', text)
    assert {reason for reason, _ in found} >= {"outside_bins", "other_bin"}
    for reason, count in found:
        listed = page.get(f"{PATH}/problems", params={"left_out": reason}).text
        assert len(re.findall(r'data-open href="/variants/\d+"', listed)) == int(count)


def test_a_new_version_and_what_changed(workspace: Visitor) -> None:
    page = create(workspace)
    freeze(page)
    answer = page.submit("/curricula/1/next")
    assert answer.headers["location"] == "/curricula/1/v2"
    page.submit("/curricula/1/v2", {"environments": ["induction"], "approved_only": "true"})
    text = page.get("/curricula/1/diff", params={"base": 1, "to": 2}).text
    removed = re.search(r"<b>(\d+)</b> removed", text)
    assert removed
    assert int(removed.group(1)) == len(re.findall(r"data-open", text)) > 0
    assert page.get("/curricula/1").headers["location"] == "/curricula/1/v2"


@pytest.mark.parametrize("path", ["/curricula/9", "/curricula/9/v1", "/curricula/1/v9", "/curricula/1/v1x"])
def test_what_is_not_there(workspace: Visitor, path: str) -> None:
    assert create(workspace).get(path).status_code == 404


def test_a_stranger_sees_nothing(workspace: Visitor, signed_in: Any) -> None:
    create(workspace)
    with unit_of_work() as session:
        mallory = builders.owner(session, "Mallory")
    stranger = signed_in(mallory)
    for path in (PATH, f"{PATH}/problems", "/curricula/1/diff?base=1&to=1"):
        assert stranger.get(path).status_code == 404
    assert "First steps" not in stranger.get("/curricula").text


def test_the_number_of_queries_does_not_grow_with_the_rows(workspace: Visitor, ada: Actor) -> None:
    page = create(workspace)

    def queries(path: str) -> int:
        count = 0

        def tick(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(db.engine(), "before_cursor_execute", tick)
        try:
            assert page.get(path).status_code == 200
        finally:
            event.remove(db.engine(), "before_cursor_execute", tick)
        return count

    paths = ("/curricula", PATH, f"{PATH}/problems")
    few = [queries(path) for path in paths]
    with unit_of_work() as session:
        for _ in range(3):
            builders.grown_run(session, ada, chains=8, attempts=False)
        session.execute(update(Variant).where(Variant.problem.is_not(None)).values(review="approved"))
    assert [queries(path) for path in paths] == few
    assert max(few) <= 20
