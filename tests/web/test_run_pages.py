"""The list of runs and the page of one, as a browser without JavaScript sees them."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.runs import listing
from app.models import LaneSlot, Run, Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.bulk import large_run
from tests.support.counting import statements

LIST_STATEMENTS = 6  # the session, the runs, those in trouble, their chains, their yields, and one to spare
PAGE_STATEMENTS = 22
MOST_HTML = 60_000  # characters
QUICK_S = 0.3  # a page of a run with 12,000 variants


@pytest.fixture
def run(ada: Actor) -> Run:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=4, attempts=False)


def change(run: Run, **fields: object) -> None:
    with unit_of_work() as session:
        found = session.get_one(Run, run.id)
        for name, value in fields.items():
            setattr(found, name, value)


def links(page: str) -> list[str]:
    """Where the content of a page leads."""
    main = page[page.index("<main") : page.index("</main")]
    return sorted({html.unescape(href) for href in re.findall(r'href="(/[^"]*)"', main)})


# --- the list ----------------------------------------------------------------------------------------------------


def test_an_empty_list_says_how_to_start(page: Visitor) -> None:
    text = page.get("/runs").text
    assert "No runs yet" in text
    assert "cairn refine" in text
    assert {"/runs/new", "/seeds/new"} <= set(links(text))


def test_yield_stands_beside_the_baseline_with_n_and_interval(page: Visitor, run: Run) -> None:
    text = page.get("/runs").text
    assert re.search(r"(\d+) of \1?\d+ teacher calls gave a usable variant, 95% interval 0\.\d\d to 0\.\d\d", text)
    assert text.count("teacher calls gave a usable variant") == 2


def test_filters(page: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        for state in ("running", "paused", "cancelled"):
            builders.run(session, ada, name=f"The {state} one", state=state)
    assert "The paused one" in page.get("/runs?state=paused").text
    assert "The running one" not in page.get("/runs?state=paused").text
    assert "The cancelled one" in page.get("/runs?q=CANCEL").text
    assert "No run matches" in page.get("/runs?q=%25").text, "a percent sign is a percent sign"
    assert "No run matches" in page.get("/runs?archived=true").text


def test_the_states_to_filter_by_are_those_that_a_run_can_come_to(page: Visitor, run: Run) -> None:
    reached = {"running", "paused", "cancelled", "finished"}  # by starting, pausing, cancelling and growing to the end
    with unit_of_work() as session:
        (allowed,) = session.execute(
            sqlalchemy.text("select pg_get_constraintdef(oid) from pg_constraint where conname = 'ck_run_state'")
        ).scalars()
    assert set(re.findall(r"'(\w+)'", allowed)) == reached
    assert set(re.findall(r"[?&]state=(\w+)", "".join(links(page.get("/runs").text)))) == reached
    for path in ("/runs", "/api/v1/runs"):
        assert {page.get(f"{path}?state={state}").status_code for state in reached} == {200}


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=failed", "state"), ("sort=cost", "sort"), ("before=0", "before"), ("after=x", "after")],
)
def test_an_unknown_filter_is_named(page: Visitor, query: str, field: str) -> None:
    answer = page.get(f"/runs?{query}")
    assert answer.status_code == 422
    assert field in answer.text


def test_pages_lead_to_older_runs_and_back(page: Visitor, ada: Actor) -> None:
    total = 2 * listing.PAGE + 3
    with unit_of_work() as session:
        for number in range(total):
            builders.run(session, ada, name=f"Number {number}")
    seen: list[list[str]] = []
    at: str | None = "/runs"
    while at:
        text = page.get(at).text
        seen.append(re.findall(r">Number (\d+)</a>", text))
        older = re.search(r'rel="next" href="([^"]+)"', text)
        at = html.unescape(older[1]) if older else None
    assert [len(numbers) for numbers in seen] == [listing.PAGE, listing.PAGE, 3]
    assert [number for numbers in seen for number in numbers] == [str(number) for number in reversed(range(total))]
    for expected in (seen[1], seen[0]):
        newer = re.search(r'rel="prev" href="([^"]+)"', text)
        assert newer
        text = page.get(html.unescape(newer[1])).text
        assert re.findall(r">Number (\d+)</a>", text) == expected
    assert 'rel="prev"' not in text


def test_runs_in_trouble_stand_on_top_until_they_are_archived(page: Visitor, run: Run) -> None:
    change(run, state="paused", error="teacher: no answer from http://gpu-1:8000")
    assert "no answer from http://gpu-1:8000" in page.get("/runs?state=finished").text
    page.submit(f"/runs/{run.id}/state", {"action": "cancel"})
    assert "no answer" not in page.get("/runs").text


def test_the_list_costs_the_same_queries_for_one_run_as_for_many(page: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        builders.grown_run(session, ada, chains=1, attempts=False)
    with statements() as few:
        page.get("/runs")
    with unit_of_work() as session:
        for _ in range(5):
            builders.grown_run(session, ada, chains=2, attempts=False)
    with statements() as many:
        page.get("/runs")
    assert len(few) == len(many) <= LIST_STATEMENTS


# --- one run -----------------------------------------------------------------------------------------------------


def test_every_link_of_a_run_leads_somewhere(page: Visitor, run: Run) -> None:
    with unit_of_work() as session:
        builders.incident(session, session.get_one(Run, run.id), "teacher", "unreachable", "nobody there")
    found = links(page.get(f"/runs/{run.id}").text)
    assert len(found) > 30
    assert [(href, page.get(href).status_code) for href in found if page.get(href).status_code != 200] == []


def test_counts_are_those_of_the_rows_that_they_lead_to(page: Visitor, run: Run) -> None:
    text = page.get(f"/runs/{run.id}").text
    table = text[text.index('id="funnel"') : text.index('id="bins"')]
    counts = re.findall(r'href="(/runs/\d+/tree\?arm=[^"]+)">(\d+)</a>', table)
    assert len(counts) >= 8
    for href, count in counts:
        tree = page.get(html.unescape(href)).text
        listed = re.search(r"<small>\d+ chains? · (?:<b>)?(\d+)(?:</b> of \d+)? variants?", tree)
        chains = re.search(r"<small>(\d+) chains? ·", tree)
        assert count in (listed and listed[1], chains and chains[1]), href


def test_a_large_run_costs_the_same_queries_and_the_same_page(page: Visitor, ada: Actor, run: Run) -> None:
    with unit_of_work() as session:
        large = large_run(session, ada).id
    sizes, counts = [], []
    for number in (run.id, large):
        page.get(f"/runs/{number}")  # once, so that templates are read
        with statements() as found:
            sizes.append(len(page.get(f"/runs/{number}").text))
        counts.append(len(found))
    assert counts[0] >= counts[1] <= PAGE_STATEMENTS  # the small one is running, and asks for its pace
    assert max(sizes) < MOST_HTML


@pytest.mark.parametrize(
    ("fields", "says", "offers"),
    [
        ({"state": "running"}, "turns", {"pause", "cancel"}),
        ({"state": "paused"}, "Chains stopped at their last finished stage", {"resume", "cancel"}),
        ({"state": "paused", "error": "teacher: away"}, "teacher: away", {"resume", "cancel"}),
        ({"state": "cancelled"}, "What was measured stays", {"archive"}),
        ({"state": "finished"}, "in all", {"archive"}),
    ],
)
def test_each_state_says_what_it_is_and_offers_what_can_be_done(
    page: Visitor, run: Run, fields: dict[str, str], says: str, offers: set[str]
) -> None:
    change(run, **fields)
    text = page.get(f"/runs/{run.id}").text
    assert says in text
    assert set(re.findall(r'name="action" value="(\w+)"', text)) == offers


def test_a_server_that_lied_about_tokens_hides_no_run(page: Visitor, run: Run) -> None:
    with unit_of_work() as session:
        session.execute(sqlalchemy.update(Variant).values(prompt_tokens=2**31 - 1, completion_tokens=2**31 - 1))
    assert page.get(f"/runs/{run.id}").status_code == 200


def test_a_run_that_waits_for_a_lane_says_who_has_them(page: Visitor, ada: Actor) -> None:
    now = datetime.now(UTC)
    with unit_of_work() as session:
        waiting, other = builders.run(session, ada), builders.run(session, ada)
        waiting.created_at = now - timedelta(hours=1)
        session.flush()
        address, other_id = f"/runs/{waiting.id}", other.id
    assert "No worker drives this run." in page.get(address).text
    with unit_of_work() as session:
        until = now + timedelta(hours=1)
        session.add(LaneSlot(run_id=other_id, slot=9, workspace_id=ada.workspace_id, owner="a", lease_expires_at=until))
    assert "Workers are driving other runs. This one goes on by itself" in page.get(address).text


def test_pausing_resuming_cancelling_and_archiving(page: Visitor, run: Run) -> None:
    path = f"/runs/{run.id}"
    for action, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = page.submit(f"{path}/state", {"action": action})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        assert page.get(f"/api/v1{path}").json()["state"] == state
    page.submit(f"{path}/state", {"action": "archive"})
    assert run.name not in page.get("/runs").text
    assert run.name in page.get("/runs?archived=true").text
    page.submit(f"{path}/state", {"action": "restore"})
    assert run.name in page.get("/runs").text


def test_a_change_that_comes_too_late_is_refused_and_says_so(page: Visitor, run: Run) -> None:
    change(run, state="finished")
    answer = page.submit(f"/runs/{run.id}/state", {"action": "pause"})
    assert answer.status_code == 409
    assert "The run is finished by now" in answer.text
    assert page.submit(f"/runs/{run.id}/state", {"action": "explode"}).status_code == 422


def test_a_run_of_others_does_not_exist(page: Visitor, run: Run, signed_in: Callable[[Actor], Visitor]) -> None:
    with unit_of_work() as session:
        stranger = builders.owner(session, "Grace")
    other = signed_in(stranger)
    for path in ("", "/config.yaml", "/events", "/tree"):
        assert other.get(f"/runs/{run.id}{path}").status_code == 404
    assert other.submit(f"/runs/{run.id}/state", {"action": "cancel"}).status_code == 404
    assert run.name not in other.get("/runs").text
    assert page.get(f"/api/v1/runs/{run.id}").json()["state"] == "running"


def test_somebody_who_may_only_look_is_offered_nothing_else(
    run: Run, ada: Actor, signed_in: Callable[[Actor], Visitor]
) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vera", Role.VIEWER)
    vera = signed_in(viewer)
    text = vera.get(f"/runs/{run.id}").text
    assert 'name="action"' not in text
    assert "from=" not in text
    assert vera.submit(f"/runs/{run.id}/state", {"action": "cancel"}).status_code == 403


def test_htmx_gets_the_figures_without_the_page(page: Visitor, run: Run) -> None:
    answer = page.get(f"/runs/{run.id}", headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith('<div id="live"')
    assert "<html" not in answer.text
    assert "hx-sse" not in answer.text, "the stream stays as it is while the figures are renewed"


def test_the_yaml_of_a_run_starts_the_same_run(page: Visitor, run: Run) -> None:
    answer = page.get(f"/runs/{run.id}/config.yaml")
    assert "attachment" in answer.headers["content-disposition"]
    form = page.submit("/runs/new", {"action": "load", "yaml": answer.text})
    assert form.status_code == 200
    assert 'id="attempts" name="attempts" type="number" value="32"' in form.text


@pytest.mark.slow
def test_the_page_of_a_large_run_is_quick(page: Visitor, ada: Actor) -> None:
    """The best of many, since other work on the machine only ever adds to a time."""
    with unit_of_work() as session:
        large = large_run(session, ada).id
    for path in (f"/runs/{large}", "/runs"):
        times = []
        for _ in range(20):
            began = time.perf_counter()
            assert page.get(path).status_code == 200
            times.append(time.perf_counter() - began)
        assert min(times) < QUICK_S, f"{path} takes {min(times):.3f} s"
