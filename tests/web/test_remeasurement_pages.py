"""Measuring again from a page, as a browser without JavaScript does; and where pages tell of it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.curricula import service as curricula
from app.features.curricula.schemas import Selection
from app.features.remeasurements import lane
from app.models import ModelProfile, Remeasurement, Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.counting import statements


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=2, state="finished").id


@pytest.fixture
def valid(run: int) -> list[int]:
    with unit_of_work() as session:
        query = session.query(Variant).where(Variant.run_id == run, Variant.invalid_code.is_(None))
        return [variant.id for variant in query.order_by(Variant.id)]


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def hidden(html: str) -> list[tuple[str, str]]:
    form = next(f for f in re.findall(r"<form.*?</form>", html, re.DOTALL) if 'id="remeasure"' in f)
    return re.findall(r'<input type="hidden" name="(pick|run|revision)" value="([^"]*)"', form)


def test_from_a_run_to_both_students_side_by_side(page: Visitor, run: int) -> None:
    path = f"/remeasurements/new?run={run}"
    assert f'href="{path}"' in page.get(f"/runs/{run}").text
    assert "Students side by side" not in page.get(f"/runs/{run}").text
    shown = page.get(path)
    assert hidden(shown.text) == [("run", str(run))]
    ready = int(re.search(r"(\d+) variants , each tried", text_of(shown.text))[1])  # type: ignore[index]
    form = {"run": str(run), "action": "launch", "student.engine": "procedural", "student.options.budget": "2"}
    answer = page.submit("/remeasurements/new", form | {"attempts": "4", "name": "Twice the effort"})
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert "Nothing measured yet" in text_of(page.get(where).text)
    assert lane.drive(int(where.rpartition("/")[2]), lambda: False) is False
    told = text_of(page.get(where).text)
    assert f"{ready} of {ready} variants" in told
    assert f"Pass rates of both students, {ready} variants" in told
    assert "Twice the effort" in told
    run_page = text_of(page.get(f"/runs/{run}").text)
    assert "Students side by side, both arms" in run_page
    assert f"Twice the effort finished, {ready} of {ready}" in run_page
    assert "Twice the effort" in text_of(page.get("/remeasurements").text)


def test_two_students_of_one_model_are_told_apart_by_their_settings(page: Visitor, run: int, valid: list[int]) -> None:
    names = []
    for budget in (2, 3):
        form = {"pick": str(valid[0]), "action": "launch", "student.engine": "procedural", "attempts": "4"}
        made = page.submit("/remeasurements/new", form | {"student.options.budget": str(budget)})
        lane.drive(int(made.headers["location"].rpartition("/")[2]), lambda: False)
        names.append(f"(budget {budget})")
    for path in ("/remeasurements", f"/runs/{run}", f"/variants/{valid[0]}?tab=attempts"):
        shown = text_of(page.get(path).text)
        assert [name for name in names if name not in shown] == [], path


def test_nothing_left_to_measure_can_not_be_asked_for(page: Visitor, valid: list[int]) -> None:
    form = {"pick": str(valid[0]), "student.engine": "procedural", "attempts": "4"}
    made = page.submit("/remeasurements/new", form | {"action": "launch"})
    lane.drive(int(made.headers["location"].rpartition("/")[2]), lambda: False)
    shown = page.submit("/remeasurements/new", form | {"action": "update"}).text
    assert "Nothing to measure" in shown
    assert re.search(r'<button class="btn main"[^>]* disabled', shown)
    assert page.submit("/remeasurements/new", form | {"action": "launch"}).status_code == 422


def test_picked_in_the_tree(page: Visitor, ada: Actor, run: int, valid: list[int]) -> None:
    with unit_of_work() as session:
        builders.approve(session, ada, session.get_one(Variant, valid[0]))
    tree = page.get(f"/runs/{run}/tree").text
    assert f'name="pick" value="{valid[0]}"' in tree, "what is approved can be measured again, too"
    assert 'formaction="/remeasurements/new"' in tree
    shown = page.get("/remeasurements/new", params={"pick": valid[:3], "back": "/runs"})
    assert "3 variants" in text_of(shown.text)
    assert hidden(shown.text) == [("pick", str(each)) for each in valid[:3]]


def test_a_frozen_curriculum(page: Visitor, ada: Actor, valid: list[int]) -> None:
    with unit_of_work() as session:
        builders.approve(session, ada, *(session.get_one(Variant, each) for each in valid))
        made = curricula.create(session, ada, "First steps", Selection())
        revision = curricula.freeze(session, ada, made.id, 1).content_hash
    path = f"/remeasurements/new?revision={revision}"
    assert f'href="{path}"' in page.get(f"/curricula/{made.id}/v1").text
    shown = page.get(path)
    assert "each tried" in text_of(shown.text)
    assert hidden(shown.text) == [("revision", revision)]


def test_the_options_of_the_chosen_engine_show_up_and_nothing_is_lost(page: Visitor, valid: list[int]) -> None:
    form = {"pick": str(valid[0]), "action": "update", "student.engine": "openai", "attempts": "7"}
    shown = page.submit("/remeasurements/new", form)
    assert shown.status_code == 200
    assert 'name="student.options.base_url"' in shown.text
    assert re.search(r'name="attempts"[^>]*value="7"', shown.text)
    refused = page.submit("/remeasurements/new", form | {"action": "launch", "attempts": "0"})
    assert refused.status_code == 422
    assert 'id="attempts-error"' in refused.text
    assert re.search(r'name="attempts"[^>]*value="0"', refused.text)
    assert hidden(refused.text) == [("pick", str(valid[0]))]
    with unit_of_work() as session:
        assert session.query(Remeasurement).count() == 0


def test_nothing_selected_and_what_is_not_there(page: Visitor, run: int) -> None:
    assert "Nothing is selected" in page.get("/remeasurements/new").text
    assert page.get("/remeasurements/new?run=99999").status_code == 404
    assert page.get("/remeasurements/new?pick=99999").status_code == 404
    assert page.get("/remeasurements/99999").status_code == 404
    assert "Nothing measured again yet" in page.get("/remeasurements").text


def test_pausing_resuming_and_cancelling(page: Visitor, ada: Actor, valid: list[int]) -> None:
    with unit_of_work() as session:
        variants = [session.get_one(Variant, each) for each in valid[:4]]
        made = builders.remeasurement(session, ada, *variants).id
    where = f"/remeasurements/{made}"
    assert 'hx-trigger="every 2s"' in page.get(where).text
    assert page.submit(f"{where}/state", {"action": "pause"}).status_code == 303
    assert "Paused." in text_of(page.get(where).text)
    assert "every 2s" not in page.get(where).text
    assert page.submit(f"{where}/state", {"action": "resume"}).status_code == 303
    assert page.submit(f"{where}/state", {"action": "cancel"}).status_code == 303
    assert "Cancelled." in text_of(page.get(where).text)
    assert page.submit(f"{where}/state", {"action": "resume"}).status_code == 409


def test_a_long_one_takes_no_more_statements_than_a_short_one(page: Visitor, ada: Actor, valid: list[int]) -> None:
    counts = []
    for size in (2, len(valid)):
        with unit_of_work() as session:
            made = builders.remeasurement(session, ada, *(session.get_one(Variant, each) for each in valid[:size])).id
        with statements() as told:
            page.get(f"/remeasurements/{made}")
        counts.append(len(told))
    assert counts[0] == counts[1]


def test_looking_writes_nothing(page: Visitor, run: int) -> None:
    with unit_of_work() as session:
        before = session.query(ModelProfile).count()
    page.get(f"/remeasurements/new?run={run}")
    page.submit("/remeasurements/new", {"run": str(run), "action": "update", "student.options.budget": "3"})
    with unit_of_work() as session:
        assert session.query(ModelProfile).count() == before
