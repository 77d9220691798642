"""Benchmarks in the browser and over HTTP: import, look, delete, check a run again; and who may."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import select

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.models import AuditEvent, BenchmarkItem, BenchmarkSet, Run, RunCheck, Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.tables import tables

SignIn = Callable[[Actor], Visitor]
HOSTILE = '</code><script>alert(1)</script><img src=x onerror="alert(1)"> {{ 7 * 7 }}'
CODE = "def f(runs):\n    return [x for run in runs for x in sorted(run, key=abs) if x]"


def lines(*records: dict[str, object]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def upload(page: Visitor, *records: dict[str, object], name: str = "Mine") -> str:
    answer = page.submit("/benchmarks/new", {"name": name}, files={"file": ("set.jsonl", lines(*records))})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.fixture
def marked(ada: Actor) -> tuple[Run, Variant, BenchmarkItem]:
    """A finished run, a variant of it that shares something with an item, and that item."""
    with unit_of_work() as session:
        run = builders.grown_run(session, ada, chains=1, state="finished")
        variant = session.execute(select(Variant).where(Variant.run_id == run.id, Variant.turn == 2)).scalars().first()
        assert variant is not None
        item = builders.benchmark_item(session, builders.benchmark_set(session, ada))
        builders.overlap(session, variant, item)
    return run, variant, item


def test_a_file_becomes_a_set_that_can_be_read(page: Visitor) -> None:
    assert "No benchmark yet" in page.get("/benchmarks").text
    place = upload(page, {"id": "a/1", "text": "Sort them."}, {"id": "a/2", "code": CODE})
    shown = text_of(page.get(place).text)
    assert "Imported 2 items. Too short to be recognised: 1." in shown
    assert "a/1 too short to be recognised Sort them." in shown
    assert "key=abs" in shown
    assert tables(page.get("/benchmarks").text)["sets"][1][:4] == ["Mine", "2", "0", "0"]


def test_an_error_stands_at_its_field_and_keeps_what_was_typed(page: Visitor) -> None:
    answer = page.submit("/benchmarks/new", {"name": "Mine"}, files={"file": ("set.jsonl", lines({"answer": 1}))})
    assert answer.status_code == 422
    assert "set.jsonl line 1, field text: There is no text and no code" in text_of(answer.text)
    assert 'value="Mine"' in answer.text
    assert "Choose a file." in page.submit("/benchmarks/new", {"name": "Mine"}).text


def test_items_are_inert_text(page: Visitor) -> None:
    place = upload(page, {"id": HOSTILE, "text": HOSTILE, "code": HOSTILE})
    shown = page.get(place).text
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "7 * 7" in shown


def test_a_mark_leads_to_its_item_and_shows_what_both_have(
    page: Visitor, marked: tuple[Run, Variant, BenchmarkItem]
) -> None:
    run, variant, item = marked
    html = page.get(f"/variants/{variant.id}").text
    address = f"/benchmarks/{item.benchmark_set_id}/{item.id}"
    assert f'<a href="{address}">HumanEval/0 of HumanEval</a>' in html
    told = text_of(html)
    assert "Shares 2 stretches of words with a benchmark" in told
    assert "merge the runs and keep the order of equal items" in told
    assert page.get(address).headers["location"] == f"/benchmarks/{item.benchmark_set_id}?page=1#item-1"
    detail = page.get(f"/api/v1/variants/{variant.id}").json()
    assert (detail["contaminated"], detail["usable"]) == (True, False)
    (found,) = detail["overlaps"]
    assert (found["item_name"], found["kind"], found["grams"]) == ("HumanEval/0", "text", 2)
    listed = page.get(f"/api/v1/variants?run={run.id}&repeats=benchmark").json()["items"]
    assert [row["id"] for row in listed] == [variant.id]
    assert "in a benchmark" in text_of(page.get(f"/runs/{run.id}/tree?repeats=benchmark").text)


def test_a_runs_page_says_with_what_it_was_compared_and_compares_again(
    page: Visitor, ada: Actor, marked: tuple[Run, Variant, BenchmarkItem]
) -> None:
    run, *_ = marked
    told = text_of(page.get(f"/runs/{run.id}").text)
    assert "1 of 8 valid variants shares something with HumanEval , and is not usable." in told
    with unit_of_work() as session:
        builders.benchmark_set(session, ada, "MBPP")
    assert "1 set was imported after the run began." in text_of(page.get(f"/runs/{run.id}").text)
    answer = page.submit(f"/runs/{run.id}/check")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run.id}")
    assert "0 of 8 variants" in text_of(page.get(f"/runs/{run.id}").text)
    with unit_of_work() as session:
        assert session.execute(select(RunCheck.state)).scalar_one() == "running"
        assert session.execute(select(AuditEvent).where(AuditEvent.action == "run.checked_again")).scalar_one()


def test_the_api_tells_what_the_page_tells(page: Visitor, marked: tuple[Run, Variant, BenchmarkItem]) -> None:
    run, _, item = marked
    told = page.get(f"/api/v1/runs/{run.id}/contamination").json()
    assert told == {
        "run_id": run.id,
        "sets": [item.benchmark_set_id],
        "missing": 0,
        "valid": 8,
        "contaminated": 1,
        "check": None,
    }


def test_programs_import_check_and_delete(visitor: Visitor, api_token: str) -> None:
    program = Visitor(visitor.app, api_token)
    sets = "/api/v1/benchmark-sets"
    bad = program.post(f"{sets}/import", files={"file": ("a.csv", b"a")})
    assert (bad.status_code, bad.json()["error"]["field"]) == (422, "file")
    records = [{"id": n, "text": "Sort them."} for n in range(3)] + [{"id": "c", "code": CODE}]
    report = program.post(f"{sets}/import", files={"file": ("a.jsonl", lines(*records))}, data={"name": "A"}).json()
    assert (report["name"], report["added"], report["short"]) == ("A", 4, 3)
    place = f"{sets}/{report['benchmark_set_id']}"
    assert program.get(place).json()["item_count"] == 4
    first = program.get(f"{place}/items?limit=3").json()
    rest = program.get(f"{place}/items?limit=3&after={first['next_after']}").json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["0", "1", "2", "c"]
    assert [item["comparable"] for item in rest["items"]] == [True]
    with unit_of_work() as session:
        actor = session.execute(select(BenchmarkSet.workspace_id, BenchmarkSet.created_by)).one()
        run = builders.grown_run(session, Actor(actor[0], actor[1], Role.OWNER, "Ada"), chains=1)
    check = f"/api/v1/runs/{run.id}/contamination/check"
    told = program.post(check)
    assert told.status_code == 202
    assert told.json()["sets"] == [report["benchmark_set_id"]]
    assert (told.json()["check"]["state"], told.json()["check"]["total"]) == ("running", 8)
    assert program.delete(place, params={"confirm": "A"}).status_code == 204
    assert program.post(check).status_code == 409


def test_deleting_asks_for_the_name(page: Visitor, marked: tuple[Run, Variant, BenchmarkItem]) -> None:
    _, variant, item = marked
    place = f"/benchmarks/{item.benchmark_set_id}"
    wrong = page.submit(f"{place}/delete", {"confirm": "humaneval"})
    assert wrong.status_code == 422
    assert "Type HumanEval exactly." in wrong.text
    assert page.submit(f"{place}/delete", {"confirm": "HumanEval"}).headers["location"] == "/benchmarks"
    with unit_of_work() as session:
        assert session.get_one(Variant, variant.id).contaminated is False


def test_viewers_look_and_change_nothing(
    ada: Actor, signed_in: SignIn, marked: tuple[Run, Variant, BenchmarkItem]
) -> None:
    run, _, item = marked
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vi", Role.VIEWER)
    vi = signed_in(viewer)
    place = f"/benchmarks/{item.benchmark_set_id}"
    assert vi.get(place).status_code == 200
    assert "Check again" not in vi.get(f"/runs/{run.id}").text
    assert vi.submit(f"/runs/{run.id}/check").status_code == 403
    assert vi.submit(f"{place}/delete", {"confirm": "HumanEval"}).status_code == 403
    files = {"file": ("set.jsonl", lines({"text": "a"}))}
    assert vi.submit("/benchmarks/new", {}, files=files).status_code == 403
    with unit_of_work() as session:
        assert session.execute(select(BenchmarkSet.name)).scalars().all() == ["HumanEval"]


def test_another_workspace_knows_of_nothing(
    signed_in: SignIn, ada: Actor, marked: tuple[Run, Variant, BenchmarkItem]
) -> None:
    run, _, item = marked
    with unit_of_work() as session:
        stranger = builders.owner(session, "Eve")
    eve = signed_in(stranger)
    place = f"/benchmarks/{item.benchmark_set_id}"
    assert eve.get(place).status_code == eve.get(f"{place}/{item.id}").status_code == 404
    assert eve.submit(f"{place}/delete", {"confirm": "HumanEval"}).status_code == 404
    assert eve.submit(f"/runs/{run.id}/check").status_code == 404
    for path in (f"benchmark-sets/{item.benchmark_set_id}", f"benchmark-sets/{item.benchmark_set_id}/items",
                 f"runs/{run.id}/contamination"):  # fmt: skip
        assert eve.get(f"/api/v1/{path}").status_code == 404
    assert eve.get("/api/v1/benchmark-sets").json() == {"items": []}
