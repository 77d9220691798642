"""Where pages, the API and exports say what a variant is similar to."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from sqlalchemy import select

from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.export_row import decode_row
from app.features.curricula import service as curricula
from app.features.curricula.schemas import Selection
from app.models import CurriculumItem, Run, Variant
from tests.support import builders
from tests.support.browsing import Visitor


@pytest.fixture
def run(ada: Actor) -> Run:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=2, attempts=False, state="finished")


def variants(run: Run, turn: int) -> list[Variant]:
    """Valid ones of the main arm at a turn, by chain."""
    with unit_of_work() as session:
        found = select(Variant).where(Variant.run_id == run.id, Variant.turn == turn, Variant.invalid_code.is_(None))
        return list(session.execute(found.where(Variant.depth > 0).order_by(Variant.chain_id)).scalars())


def mark(of: Variant, like: Variant, column: str = "near") -> None:
    with unit_of_work() as session:
        made = session.get_one(Variant, of.id)
        setattr(made, f"{column}_of", like.id)
        setattr(made, f"{column}_similarity", 0.890625)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_similar_variant_says_to_which_and_how_much(page: Visitor, run: Run) -> None:
    first, copy = variants(run, 3)[0], variants(run, 5)[-1]
    before = page.get(f"/api/v1/runs/{run.id}").json()["summary"]["main"]
    mark(copy, first)
    shown = page.get(f"/variants/{copy.id}").text
    assert f'stands in <a href="/variants/{first.id}?base={copy.id}">3.1 of chain {first.chain_id}</a>' in shown
    assert "Nearly the same program, 0.89 of its syntax" in text_of(shown)
    told = page.get(f"/api/v1/variants/{copy.id}").json()
    place = {"variant_id": first.id, "run_id": run.id, "chain_id": first.chain_id, "place": "3.1"}
    assert told["near"] == place | {"similarity": 0.890625}
    assert (told["similar"], told["usable"], told["known"]) == (True, False, None)
    after = page.get(f"/api/v1/runs/{run.id}").json()["summary"]["main"]
    assert (after["similar"], after["unique"]) == (before["similar"] + 1, before["unique"] - 1)
    assert after["usable"] == before["usable"] - 1
    assert "1 similar to another tree's" in text_of(page.get(f"/runs/{run.id}").text)


def test_the_tree_shows_and_filters_copies(page: Visitor, run: Run) -> None:
    first, copy = variants(run, 3)[0], variants(run, 5)[-1]
    mark(copy, first)
    grid = page.get(f"/runs/{run.id}/tree?repeats=similar").text
    assert f'id="row-v{copy.id}"' in grid
    assert f'id="row-v{first.id}"' not in grid
    assert "0.89 like 3.1" in text_of(grid)
    listed = page.get(f"/api/v1/variants?run={run.id}&repeats=similar").json()["items"]
    assert [row["id"] for row in listed] == [copy.id]
    assert page.get(f"/api/v1/variants?run={run.id}&repeats=cousin").status_code == 422


def test_an_older_runs_variant_is_told_and_exported(page: Visitor, ada: Actor, run: Run) -> None:
    with unit_of_work() as session:
        newer = builders.grown_run(session, ada, chains=1, attempts=False, state="finished")
    old, new = variants(run, 3)[0], variants(newer, 3)[0]
    mark(new, old, "known")
    shown = text_of(page.get(f"/variants/{new.id}").text)
    assert f"An older run had it: 0.89 of its syntax stands in 3.1 of run {run.id} ." in shown
    assert "This run is compared with itself alone, and counts it." in shown
    with unit_of_work() as session:
        selection = Selection(runs=[newer.id], approved_only=False, bin_set="kept")
        made = curricula.create(session, ada, "stones", selection)
        version = curricula.freeze(session, ada, made.id, 1)
        rows = session.execute(select(CurriculumItem.row).where(CurriculumItem.version_id == version.id)).scalars()
        told = [json.loads(decode_row(row)["provenance"]).get("similar_to") for row in rows]
    place = {"run": run.id, "turn": 3, "branch": 1, "similarity": 0.890625}
    assert [origin for origin in told if origin] == [place]


def test_an_older_runs_variant_makes_unusable_where_the_settings_say_so(page: Visitor, ada: Actor, run: Run) -> None:
    with unit_of_work() as session:
        strict = builders.grown_run(session, ada, chains=1, attempts=False, compared_with="workspace")
    old, new = variants(run, 3)[0], variants(strict, 3)[0]
    assert page.get(f"/api/v1/variants/{new.id}").json()["usable"] is True
    mark(new, old, "known")
    told = page.get(f"/api/v1/variants/{new.id}").json()
    assert (told["similar"], told["usable"]) == (True, False)
    assert "This run counts it as a copy." in text_of(page.get(f"/variants/{new.id}").text)


def test_the_form_of_a_run_offers_with_what_to_compare(page: Visitor) -> None:
    form = page.get("/runs/new").text
    assert 'name="compared_with"' in form
    assert '<option value="workspace"' in form
