"""A benchmark is imported, an old run is checked against it by a worker, and the mark leads to the item."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.db import unit_of_work
from app.domain.problem_codec import decode_problem
from app.features.accounts import service as accounts
from app.models import Variant
from tests.support import builders


@pytest.mark.usefixtures("worker")
def test_from_import_to_mark_and_diversity(page: Page, tmp_path: Path) -> None:
    with unit_of_work() as session:
        actor = builders.owner(session, "Ada")
        run = builders.grown_run(session, actor, chains=2, state="finished")
        builders.sketches(session, run)
        variant = session.execute(
            select(Variant).where(Variant.run_id == run.id, Variant.environment == "abduction", Variant.turn == 5)
        ).scalar_one()
        program = decode_problem(variant.problem or "").program
        token = accounts.create_sign_in_link(session, actor)
    path = tmp_path / "CRUXEval.jsonl"
    path.write_text(json.dumps({"id": "sample_0", "code": program.replace("def f", "def g")}) + "\n")

    page.goto(f"/signin/{token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs")
    page.keyboard.press("g")
    page.keyboard.press("b")
    page.get_by_role("link", name="Import a set").first.click()
    page.get_by_label("File").set_input_files(path)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="CRUXEval")).to_be_visible()

    page.goto(f"/runs/{run.id}")
    section = page.locator("#benchmarks")
    expect(section).to_contain_text("1 set was imported after the run began.")
    section.get_by_role("button", name="Check again").press("Enter")
    # The run is over and its page has no stream: what is under way is looked at again and again.
    expect(section).to_contain_text(re.compile(r"All compared again"))
    expect(section).to_contain_text(re.compile(r"[1-9]\d* of 14 valid variants"))

    page.goto(f"/variants/{variant.id}")
    expect(page.get_by_text("in a benchmark").first).to_be_visible()
    page.get_by_role("link", name="sample_0 of CRUXEval").click()
    expect(page.get_by_role("heading", name="sample_0")).to_be_visible()

    page.goto(f"/runs/{run.id}")
    page.get_by_role("link", name="Diversity").click()
    expect(page.get_by_role("region", name="Clusters found", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile("^This run: .* clusters among the first")).first.click()
    expect(page).to_have_url(re.compile(rf"/runs/{run.id}/tree\?arm=main"))
