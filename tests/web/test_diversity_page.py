"""Diversity of a run: what its page and the API say, to whom, and what neither knows."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from app.db import unit_of_work
from app.domain.actor import Actor
from app.models import Run, Sketch
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.tables import tables


@pytest.fixture
def run(ada: Actor) -> Run:
    """Four chains of a main arm (5 and 4 valid in turn) and of a baseline (2 each, of one family), and a request."""
    with unit_of_work() as session:
        run = builders.grown_run(session, ada, chains=4, attempts=False)
        builders.sketches(session, run)
    return run


def test_page_and_api_say_the_same(page: Visitor, run: Run) -> None:
    told = page.get(f"/api/v1/runs/{run.id}/diversity").json()
    by_key = {(spread["arm"], spread["environment"]): spread for spread in told["spreads"]}
    whole, single = by_key["main", None], by_key["baseline", None]
    assert (whole["n"], single["n"], told["unsketched"]) == (20, 8, 0)
    assert whole["clusters"] == whole["curve"][-1] > single["clusters"] == single["curve"][-1]
    shown = tables(page.get(f"/runs/{run.id}/diversity").text)
    first, second = shown["spreads"][1:3]
    # Clusters of both arms are those among as many variants as the smaller arm has.
    assert first[:5] == ["all", "This run", "20", str(whole["curve"][7]), "8"]
    assert second[:5] == ["all", "Single-turn", "8", str(single["clusters"]), "8"]
    assert first[5:] == [f"{whole['mean_distance']:.2f}", "190", str(len(whole["constructs"]))]
    assert len(shown["spreads"]) == 1 + 2 * 5  # a header; both arms, of all and of four environments


def test_every_environment_has_its_own_figures(page: Visitor, run: Run) -> None:
    told = page.get(f"/api/v1/runs/{run.id}/diversity").json()["spreads"]
    for arm in ("main", "baseline"):
        whole, *parts = [spread for spread in told if spread["arm"] == arm]
        assert whole["environment"] is None
        assert [part["environment"] for part in parts] == sorted(builders.ENVIRONMENTS)
        assert sum(part["n"] for part in parts) == whole["n"]


def test_variants_of_older_versions_are_counted_as_left_out(page: Visitor, run: Run) -> None:
    with unit_of_work() as session:
        session.execute(delete(Sketch).where(Sketch.run_id == run.id))
    assert page.get(f"/api/v1/runs/{run.id}/diversity").json() == {"run_id": run.id, "spreads": [], "unsketched": 28}
    text = page.get(f"/runs/{run.id}/diversity").text
    assert "28 valid variants are left out" in text
    assert "Nothing to compare" in text


def test_a_run_that_begins_says_that_nothing_is_there_yet(page: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        run = builders.run(session, ada)
    assert "Nothing to compare yet" in page.get(f"/runs/{run.id}/diversity").text


def test_the_runs_page_leads_there(page: Visitor, run: Run) -> None:
    assert f'href="/runs/{run.id}/diversity"' in page.get(f"/runs/{run.id}").text


def test_another_workspace_knows_of_nothing(page: Visitor) -> None:
    with unit_of_work() as session:
        run = builders.grown_run(session, builders.owner(session, "Eve"), chains=1)
    assert page.get(f"/runs/{run.id}/diversity").status_code == 404
    assert page.get(f"/api/v1/runs/{run.id}/diversity").status_code == 404
