"""The tree grid of a run: chains and their variants as lines, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.db import Session
from app.domain.actor import Actor
from app.features.chains import service
from app.features.chains.filters import TreeQuery, VariantFilter
from app.features.chains.headlines import beyond
from app.features.chains.queries import chains as chain_queries
from app.features.chains.queries import rows as row_queries
from app.features.chains.queries import tree as tree_queries
from app.features.chains.schemas import ChainRow, FilterChoices, RunFacts, Tree, TreeRow, VariantRow

ROWS = 100


def tree(session: Session, actor: Actor, run_id: int, query: TreeQuery) -> Tree:
    """One page of the grid; without a cursor, the page that holds the chosen node.

    Raises NotFound, or InvalidInput where the cursor's row is gone.
    """
    run = service.run_facts(session, actor, run_id)
    lines, after, before = _page(session, run_id, query)
    chains = chain_queries.chain_rows(session, actor.workspace_id, [chain_id for chain_id, _ in lines])
    variants = row_queries.variant_rows(session, actor.workspace_id, [key for _, key in lines if key is not None])
    total = tree_queries.variant_count(session, run_id, VariantFilter())
    return Tree(
        run=run,
        query=query,
        rows=_rows(lines, chains, variants, query),
        chains=chain_queries.chain_count(session, run_id, query),
        variants=total,
        matching=tree_queries.variant_count(session, run_id, query) if query.active else total,
        after=after,
        before=before,
    )


def _page(session: Session, run_id: int, query: TreeQuery) -> tuple[list[tuple[int, int | None]], str, str]:
    """Lines, and the cursors of the next and previous page ("" for none)."""
    start, backwards = query.before or query.after, bool(query.before)
    lines = tree_queries.tree_page(session, run_id, query, ROWS + 1, start, backwards=backwards)
    kind, node = query.chosen
    if not start and kind and lines and all(node != (at if kind == "c" else key) for at, key in lines[:ROWS]):
        home = node if kind == "c" else tree_queries.chain_of_shown(session, run_id, query, node)
        if home is not None:
            start = f"c{home}"
            lines = tree_queries.tree_page(session, run_id, query, ROWS + 1, start)
    if lines is None:
        raise service.gone("before" if backwards else "after")
    more, shown = len(lines) > ROWS, lines[-ROWS:] if backwards else lines[:ROWS]
    has_next, has_previous = (True, more) if backwards else (more, bool(start))
    return (
        shown,
        _cursor(shown[-1]) if shown and has_next else "",
        _cursor(shown[0]) if shown and has_previous else "",
    )


def _cursor(line: tuple[int, int | None]) -> str:
    chain_id, variant_id = line
    return f"c{chain_id}" if variant_id is None else f"v{variant_id}"


def _rows(
    lines: Sequence[tuple[int, int | None]],
    chains: Mapping[int, ChainRow],
    variants: Mapping[int, VariantRow],
    query: TreeQuery,
) -> list[TreeRow]:
    """Each chain once, above those of its variants that this page holds."""
    rows: list[TreeRow] = []
    last = None
    for chain_id, variant_id in lines:
        home = chains[chain_id]
        if chain_id != last:
            is_open = query.fold == (home.key in query.flipped)
            rows.append(TreeRow(home.key, 1, is_open if home.variants else None, home))
            last = chain_id
        if variant_id is not None:
            variant = variants[variant_id]
            is_open = variant.key not in query.flipped
            parent = variants.get(variant.parent_id) if variant.parent_id else None
            told = beyond(variant.headline, parent.headline) if parent else variant.headline
            rows.append(
                TreeRow(variant.key, variant.depth + 2, is_open if variant.subtree > 1 else None, home, variant, told)
            )
    return rows


def choices(session: Session, run: RunFacts) -> FilterChoices:
    """What the filters of this run can be set to."""
    codes = chain_queries.invalid_codes(session, run.id)
    return FilterChoices(run.environments, codes, chain_queries.stop_reasons(session, run.id))
