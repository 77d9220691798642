"""The tree grid: preorder, pages, folding, filters, and a number of queries that does not depend on the rows."""

from __future__ import annotations

from typing import Any

import pytest

from app.db import Session
from app.domain.actor import Actor
from app.errors import InvalidInput, NotFound
from app.features.chains import grid as paging
from app.features.chains import service
from app.features.chains.filters import ChainQuery, TreeQuery
from app.features.chains.schemas import Tree, TreeRow
from app.models import Run
from tests.support import builders
from tests.support.counting import statements


def grid(session: Session, actor: Actor, run: Run, **query: Any) -> Tree:
    return paging.tree(session, actor, run.id, TreeQuery(**query))


def told(rows: list[TreeRow] | Any) -> list[str]:
    """Each row as its indent and its place."""
    return ["." * row.level + (row.variant.place if row.variant else row.chain.environment) for row in rows]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "ROWS", 5)


def test_chains_in_order_with_the_baseline_behind_and_variants_in_preorder(
    session: Session, ada: Actor, run: Run
) -> None:
    tree = grid(session, ada, run)
    assert told(tree.rows)[:11] == [
        ".induction",
        "..1.1",
        "...2.1",
        "....3.1",
        ".....4.1",
        "......5.1",
        "....3.2",
        ".....6.1",
        ".induction",
        "..1.1",
        "..2.1",
    ]
    assert [row.chain.arm for row in tree.rows if row.variant is None][:3] == ["main", "baseline", "main"]
    assert (tree.chains, tree.variants, tree.matching) == (8, 32, 32)


def test_a_chain_says_what_its_variants_came_to(session: Session, ada: Actor, run: Run) -> None:
    chain = grid(session, ada, run).rows[0].chain
    assert (chain.variants, chain.usable, chain.complete) == (7, 5, True)
    assert chain.bins == ["easy", "medium", "hard"]


@pytest.mark.parametrize("sort", ["position", "-position", "usable", "-usable", "bins", "-bins"])
def test_pages_hold_every_variant_once_and_lead_back(
    session: Session, ada: Actor, run: Run, small_pages: None, sort: str
) -> None:
    pages = [grid(session, ada, run, sort=sort)]
    while pages[-1].after:
        pages.append(grid(session, ada, run, sort=sort, after=pages[-1].after))
    seen = [row.variant.id for page in pages for row in page.rows if row.variant]
    assert len(seen) == len(set(seen)) == 32
    assert len(pages) == 7
    back = [pages[-1]]
    while back[-1].before:
        back.append(grid(session, ada, run, sort=sort, before=back[-1].before))
    assert [[row.key for row in page.rows] for page in reversed(back)] == [
        [row.key for row in page.rows] for page in pages
    ]


def test_sorts_chains_by_usable_variants_and_bins(session: Session, ada: Actor, run: Run) -> None:
    for sort, value in (("-usable", lambda chain: chain.usable), ("-bins", lambda chain: len(chain.bins))):
        rows = grid(session, ada, run, sort=sort, fold=True).rows
        values = [value(row.chain) for row in rows]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) > 1


def test_a_chosen_node_brings_the_page_that_holds_it(session: Session, ada: Actor, run: Run, small_pages: None) -> None:
    last = next(row for row in reversed(grid(session, ada, run, sort="-position").rows) if row.variant)
    assert last.variant
    page = grid(session, ada, run, node=str(last.variant.id))
    assert last.variant.id in [row.variant.id for row in page.rows if row.variant]
    assert page.before


def test_folding_hides_a_subtree_and_a_chain(session: Session, ada: Actor, run: Run) -> None:
    rows = grid(session, ada, run).rows
    second = next(row for row in rows if row.variant and row.variant.place == "2.1")
    closed = grid(session, ada, run, flip=second.key).rows
    assert told(closed)[:4] == [".induction", "..1.1", "...2.1", ".induction"]
    assert [row.expanded for row in closed[:3]] == [True, True, False]
    assert told(grid(session, ada, run, flip=rows[0].key).rows)[:3] == [".induction", ".induction", "..1.1"]


def test_all_chains_folded_but_the_flipped_one(session: Session, ada: Actor, run: Run) -> None:
    first = grid(session, ada, run).rows[0].key
    rows = grid(session, ada, run, fold=True, flip=first).rows
    assert told(rows)[:8] == told(grid(session, ada, run).rows)[:8]
    assert {row.level for row in rows[8:]} == {1}


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"bin": "hard"}, {"3.1"}),
        ({"invalid": "nondeterministic"}, {"4.1"}),
        ({"invalid": "any"}, {"4.1", "2.1"}),
        ({"invalid": "none", "turn": 4, "environment": "abduction"}, {"4.1"}),
        ({"usable": True, "environment": "fuzzing", "arm": "main"}, {"3.1", "4.1", "5.1"}),
        ({"usable": False, "arm": "baseline"}, {"1.1"}),
        ({"rate_min": 1, "rate_max": 1}, {"1.1"}),
        ({"rate_min": 0.9, "rate_max": 1}, {"4.1"}),
        ({"q": "fairly: no run may", "environment": "induction"}, {"3.2"}),
        ({"q": "textwrap.py", "turn": 1, "arm": "main"}, {"1.1"}),
        ({"review": "approved"}, set()),
    ],
)
def test_filters(session: Session, ada: Actor, run: Run, query: dict[str, Any], places: set[str]) -> None:
    tree = grid(session, ada, run, **query)
    variants = [row.variant for row in tree.rows if row.variant]
    assert {variant.place for variant in variants} == places
    assert tree.matching == len(variants)
    if query.keys() & {"usable"}:
        assert all(variant.usable == query["usable"] for variant in variants)


def test_a_percent_sign_is_searched_for_and_matches_nothing_else(session: Session, ada: Actor, run: Run) -> None:
    assert grid(session, ada, run, q="%").matching == 0


def test_unknown_filters_sorts_and_environments_are_refused() -> None:
    for wrong in ({"colour": "red"}, {"sort": "luck"}, {"environment": "poetry"}, {"flip": "x1"}, {"bin": "tiny"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TreeQuery(**wrong)


def test_filters_left_open_by_a_form_are_no_filters() -> None:
    assert TreeQuery(environment="", bin="", usable="", sort="", q="").active == {}


def test_a_cursor_that_is_gone_is_an_error_with_a_remedy(session: Session, ada: Actor, run: Run) -> None:
    with pytest.raises(InvalidInput, match="first page"):
        grid(session, ada, run, after="v999999")


def test_headlines_leave_out_what_the_parent_says_too(session: Session, ada: Actor, run: Run) -> None:
    rows = grid(session, ada, run).rows
    assert rows[1].told.startswith("Merge several ascending runs into")
    assert rows[3].told.startswith("… runs, each item paired")
    assert rows[4].told.startswith("f gives [3, 1] in one process")


def test_another_workspace_sees_nothing(session: Session, run: Run) -> None:
    stranger = builders.owner(session, "Eve")
    for look in (
        lambda: grid(session, stranger, run),
        lambda: service.list_chains(session, stranger, run.id, ChainQuery()),
        lambda: service.chain(session, stranger, 1),
        lambda: service.variant(session, stranger, 1),
        lambda: service.attempts(session, stranger, 1),
    ):
        with pytest.raises(NotFound):
            look()


def test_a_page_costs_the_same_queries_whatever_its_rows(session: Session, ada: Actor, run: Run) -> None:
    with statements() as few:
        shown = len(grid(session, ada, run, arm="main").rows)
    for position in range(9, 12):
        builders.grown_chain(session, run, position, attempts=False)
    with statements() as many:
        assert len(grid(session, ada, run, arm="main").rows) == shown + 3 * 8
    assert len(few) == len(many) <= 9


# --- chains ---


def test_chains_are_listed_in_pages(session: Session, ada: Actor, run: Run) -> None:
    first, more = service.list_chains(session, ada, run.id, ChainQuery(limit=5))
    assert more
    second, more = service.list_chains(session, ada, run.id, ChainQuery(limit=5, after=first[-1].id))
    assert not more
    assert len({chain.id for chain in [*first, *second]}) == 8
    mains, _ = service.list_chains(session, ada, run.id, ChainQuery(arm="main", stop="turns_used", sort="-usable"))
    assert [chain.usable for chain in mains] == [5, 5, 3, 3]


def test_an_open_chain_without_variants_shows_as_growing(session: Session, ada: Actor, run: Run) -> None:
    waiting = builders.chain(session, run, 99, state="open")
    row = grid(session, ada, run).rows[-1]
    assert (row.chain.id, row.expanded, row.chain.state) == (waiting.id, None, "open")
    assert grid(session, ada, run, usable=True).rows[-1].chain.id != waiting.id
