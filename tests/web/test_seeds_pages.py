"""Seeds in the browser: import, look, delete."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

import pytest
from sqlalchemy import event, func, select

from app import db
from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.models import AuditEvent, Seed, SeedSet
from tests.support import builders
from tests.support.browsing import Visitor

SignIn = Callable[[Actor], Visitor]
HOSTILE = '</code><script>alert(1)</script><img src=x onerror="alert(1)"> {{ 7 * 7 }}\n'


def lines(*records: dict[str, str]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def upload(page: Visitor, content: bytes, name: str = "") -> str:
    """The address that an import of a file leads to."""
    answer = page.submit("/seeds/new", {"name": name}, files={"file": ("seeds.jsonl", content)})
    assert answer.status_code == 303
    return answer.headers["location"]


def test_a_file_becomes_a_set_that_can_be_read(page: Visitor) -> None:
    place = upload(page, lines({"text": "x = 1", "licence": "MIT"}, {"text": "x = 2"}, {"text": "x = 1"}), name="A")
    shown = page.get(place).text
    assert "Imported 2 seeds. Exact duplicates left out: 1." in shown
    assert "MIT" in shown
    assert "seeds.jsonl line 2" in shown
    assert place in page.get("/seeds").text


def test_pasted_text_is_one_seed_or_lines(page: Visitor) -> None:
    one = page.submit("/seeds/new", {"pasted": "def f(x):\r\n    return x\r\n", "kind": "solution", "name": "One"})
    many = page.submit("/seeds/new", {"pasted": '{"text": "a"}\r\n{"text": "b"}', "pasted_as": "jsonl", "name": "Two"})
    assert (one.status_code, many.status_code) == (303, 303)
    with unit_of_work() as session:
        found = session.execute(select(SeedSet.name, SeedSet.seed_count).order_by(SeedSet.id)).all()
        texts = list(session.execute(select(Seed.text).order_by(Seed.id)).scalars())
    assert [tuple(row) for row in found] == [("One", 1), ("Two", 2)]
    assert texts == ["def f(x):\n    return x\n", "a", "b"]


def test_an_error_stands_at_its_field_and_keeps_what_was_typed(page: Visitor) -> None:
    answer = page.submit(
        "/seeds/new",
        {"name": "Mine", "licence": "MIT", "snippets_per_file": "0", "pasted": "x = 1"},
    )
    assert answer.status_code == 422
    assert 'id="snippets_per_file-error"' in answer.text
    assert 'value="Mine"' in answer.text
    assert "x = 1</textarea>" in answer.text


def test_a_bad_line_stops_all_unless_told_otherwise(page: Visitor) -> None:
    content = lines({"text": "x = 1"}, {"no": "code"})
    stopped = page.submit("/seeds/new", {}, files={"file": ("seeds.jsonl", content)})
    assert stopped.status_code == 422
    assert "seeds.jsonl line 2, field text" in stopped.text
    with unit_of_work() as session:
        assert session.execute(select(func.count()).select_from(SeedSet)).scalar_one() == 0
    report = page.submit("/seeds/new", {"skip_bad": "true"}, files={"file": ("seeds.jsonl", content)})
    assert report.status_code == 200
    assert "seeds.jsonl line 2" in report.text
    assert "1</b> seed imported" in report.text


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "<img src=x onerror=alert(1)>.docx", "a\x00b.jsonl\x00"])
def test_odd_file_names_are_refused_politely(page: Visitor, name: str) -> None:
    answer = page.submit("/seeds/new", {}, files={"file": (name, b"x")})
    assert answer.status_code == 422
    assert "<img" not in answer.text


def test_hostile_code_stays_text(page: Visitor) -> None:
    record = {"text": HOSTILE, "source": HOSTILE.strip(), "licence": HOSTILE.strip()}
    place = upload(page, lines(record), name=HOSTILE.strip())
    for shown in (page.get(place).text, page.get("/seeds").text):
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "{{ 7 * 7 }}" in html.unescape(re.sub(r"<[^>]+>", "", shown))


def test_seeds_are_paged_and_filtered_by_the_query_string(page: Visitor) -> None:
    records = [{"text": f"x = {n}", "licence": "MIT" if n % 2 else ""} for n in range(50)]
    place = upload(page, lines(*records), name="Fifty")
    assert page.get(place).text.count('class="code lines"') == 10
    last = page.get(f"{place}?page=5").text
    assert last.count('class="code lines"') == 10
    assert 'rel="prev"' in last
    assert 'rel="next"' not in last
    assert page.get(f"{place}?licence=MIT&page=3").text.count('class="code lines"') == 5
    assert page.get(f"{place}?licence=-&page=3").text.count('class="code lines"') == 5
    assert page.get(f"{place}?q=x+%3D+49").text.count('class="code lines"') == 1
    assert page.get(f"{place}?q=%25").text.count('class="code lines"') == 0


@pytest.mark.parametrize("query", ["sort=name", "page=0", "page=x", "kind=riddle", "kind=snippet&colour=red"])
def test_unknown_filters_are_refused_by_name(page: Visitor, query: str) -> None:
    place = upload(page, lines({"text": "x = 1"}))
    answer = page.get(f"{place}?{query}")
    assert answer.status_code == 422
    assert query.rpartition("&")[2].partition("=")[0] in answer.text


def test_one_seed_has_an_address(page: Visitor) -> None:
    place = upload(page, lines(*({"text": f"x = {n}"} for n in range(45))))
    with unit_of_work() as session:
        seed_id = session.execute(select(Seed.id).where(Seed.position == 40)).scalar_one()
    answer = page.get(f"{place}/{seed_id}")
    assert answer.headers["location"] == f"{place}?page=5#seed-41"
    assert 'id="seed-41"' in page.get(f"{place}?page=5").text


def test_an_unused_set_is_deleted_after_its_name_is_typed(page: Visitor) -> None:
    place = upload(page, lines({"text": "x = 1"}), name="Old ones")
    refused = page.submit(f"{place}/delete", {"confirm": "old ones"})
    assert refused.status_code == 422
    assert "Type Old ones exactly" in refused.text
    assert page.submit(f"{place}/delete", {"confirm": "Old ones"}).headers["location"] == "/seeds"
    assert page.get(place).status_code == 404
    with unit_of_work() as session:
        assert session.execute(select(func.count()).select_from(Seed)).scalar_one() == 0
        assert "seed_set.deleted" in session.execute(select(AuditEvent.action)).scalars().all()


def test_a_run_may_start_from_the_set(page: Visitor) -> None:
    place = upload(page, lines({"text": "x = 1"}), name="A & B")
    upload(page, lines({"text": "x = 1"}), name="Newer")
    (href,) = re.findall(r'href="(/runs/new\?seeds\.set=[^"]+)"', page.get(place).text)
    assert 'value="A &amp; B" selected' in page.get(html.unescape(href)).text


def test_a_set_that_a_run_uses_stays(page: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        run = builders.run(session, ada)
        place, name = f"/seeds/{run.seed_set_id}", session.get_one(SeedSet, run.seed_set_id).name
    assert "Delete this set" not in page.get(place).text
    assert page.submit(f"{place}/delete", {"confirm": name}).status_code == 409


def test_another_workspace_sees_nothing_of_it(page: Visitor, signed_in: SignIn) -> None:
    place = upload(page, lines({"text": "x = 1"}), name="Ours")
    with unit_of_work() as session:
        stranger = builders.owner(session, "Grace")
        seed_id = session.execute(select(Seed.id)).scalar_one()
    other = signed_in(stranger)
    assert "Ours" not in other.get("/seeds").text
    assert other.get(place).status_code == 404
    assert other.get(f"{place}/{seed_id}").status_code == 404
    assert other.submit(f"{place}/delete", {"confirm": "Ours"}).status_code == 404
    assert page.get(place).status_code == 200
    with unit_of_work() as session:
        denied = session.execute(
            select(AuditEvent.target).filter_by(action="access.denied", user_id=stranger.user_id)
        ).scalars()
        assert f"POST {place}/delete" in denied.all()


def test_a_viewer_reads_and_changes_nothing(page: Visitor, ada: Actor, signed_in: SignIn) -> None:
    place = upload(page, lines({"text": "x = 1"}), name="Ours")
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vera", Role.VIEWER)
    other = signed_in(viewer)
    assert other.get(place).status_code == 200
    assert other.submit("/seeds/new", {"pasted": "x = 2"}).status_code == 403
    assert other.submit(f"{place}/delete", {"confirm": "Ours"}).status_code == 403


@pytest.mark.parametrize("path", ["/seeds/0", "/seeds/x", "/seeds/9223372036854775808", "/seeds/1/x", "/seeds/7"])
def test_addresses_that_lead_nowhere(page: Visitor, path: str) -> None:
    assert page.get(path).status_code == 404


def test_pages_cost_the_same_number_of_queries_for_one_row_and_for_many(page: Visitor) -> None:
    counted: list[str] = []
    one = upload(page, lines({"text": "x = 1"}), name="One")

    def count(path: str) -> int:
        counted.clear()
        assert page.get(path).status_code == 200
        return len(counted)

    event.listen(db.engine(), "before_cursor_execute", lambda *args: counted.append(args[2]))
    few = count("/seeds"), count(one)
    for number in range(5):
        upload(page, lines(*({"text": f"x = {n}"} for n in range(20))), name=f"Set {number}")
    many = count("/seeds"), count(one.replace("/1", "/2"))
    assert few == many
    assert max(many) <= 8
