"""The pictures of the documentation, taken of a run that the procedural engine really grew.

`make screenshots` writes them to docs/images; as a test they only have to come out, light enough for a repository.
"""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import text

from app.db import unit_of_work
from app.domain.seeds import stdlib_snippets
from app.features.accounts import service as accounts
from app.features.curricula import service as curricula
from app.features.curricula.schemas import Selection
from app.features.seeds.service import create_set
from app.models import Run, Variant
from tests.support import builders, refining
from tests.support.keyboard import sign_in
from tests.support.pictures import small_png

pytestmark = pytest.mark.slow
MOST_BYTES = 150_000
SIZE = {"width": 1280, "height": 860}

# The chain that shows most: many bins, all turns valid; of it a measured variant with a parent.
CHOSEN = """
select v.id from variant v join measurement m on m.variant_id = v.id
where v.turn >= 3 and v.parent_id is not null and v.chain_id = (
    select c.id from chain c join variant w on w.chain_id = c.id left join measurement n on n.variant_id = w.id
    where c.arm = 'main' and c.environment in ('induction', 'fuzzing')
    group by c.id order by
        count(distinct width_bucket(n.rate, array[0.1, 0.26, 0.61, 0.85, 0.97])) desc,
        count(n.rate) filter (where n.rate between 0.1 and 0.97) desc, c.id limit 1)
order by abs(m.rate - 0.5), v.id limit 1
"""


@dataclass(frozen=True)
class Places:
    """What the pictures show."""

    link: str
    run_id: int
    variant_id: int
    curriculum_id: int


@pytest.fixture
def places(database: str, broker: str) -> Places:
    with unit_of_work() as session:
        ada = builders.owner(session, "Ada")
        create_set(session, ada, "Python standard library", stdlib_snippets(6, random.Random(7)), origin="stdlib")
    environments = ["induction", "abduction", "deduction", "fuzzing"]
    run_id = refining.start(ada, name="Standard library, four environments", seeds={"set": "Python standard library"},
                            environments=environments, turns=6, attempts=32, baseline=True, seed=7)  # fmt: skip
    with ThreadPoolExecutor(1) as beside:  # the browser's event loop runs in this thread
        beside.submit(refining.drive, run_id).result()
    with unit_of_work() as session:
        assert session.get_one(Run, run_id).state == "finished"
        usable = (
            "select v.id from variant v join measurement m on m.variant_id = v.id join chain c on c.id = v.chain_id"
        )
        usable += " where c.arm = 'main' and v.duplicate_of is null and m.rate between 0.1 and 0.97 order by v.id"
        ids = session.execute(text(usable)).scalars().all()
        chosen = session.execute(text(CHOSEN)).scalar_one()
        approved = [session.get_one(Variant, number) for number in ids if number != chosen]
        builders.approve(session, ada, *approved)
        made = curricula.create(session, ada, "First steps", Selection())
        curricula.freeze(session, ada, made.id, 1)
        link = f"/signin/{accounts.create_sign_in_link(session, ada)}"
        return Places(link, run_id, chosen, made.id)


def test_pictures(page: Page, places: Places, tmp_path: Path) -> None:
    folder = Path(os.environ.get("CAIRN_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    blank = page.context.new_page()
    page.set_viewport_size(SIZE)  # type: ignore[arg-type]
    sign_in(page, places.link)
    page.wait_for_url("**/runs")
    for name, address, theme in (
        ("run", f"/runs/{places.run_id}", "light"),
        ("tree", f"/runs/{places.run_id}/tree?node={places.variant_id}", "light"),
        ("tree-dark", f"/runs/{places.run_id}/tree?node={places.variant_id}", "dark"),
        ("variant", f"/variants/{places.variant_id}", "light"),
        ("curriculum", f"/curricula/{places.curriculum_id}/v1", "light"),
    ):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.goto(address)
        picture = small_png(blank, page.screenshot())
        assert len(picture) < MOST_BYTES, f"{name} has {len(picture)} bytes"
        (folder / f"{name}.png").write_bytes(picture)
