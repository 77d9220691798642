"""Compares variants with the items of benchmark sets, and writes down what they share.

The items' stretches of words and the bands of their code are indexed (GIN), so that a variant finds the few items that
it shares something with however large the sets are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db import Session, Statement, execute
from app.domain.overlap import CODE_SIMILARITY, CODE_SIZE, CODE_WIDTH, shared_passage, variant_grams
from app.domain.problem import Problem
from app.domain.sketch import Sketch, bands, similarity, sketch
from app.models import BenchmarkItem, BenchmarkSet, Overlap, Variant
from app.models.base import table_of

_CODE = 300  # characters of code that stand for it where no words are shared
_HOLD = b"select 1 from run where id = %(run_id)s for key share"
_SETS = b"select benchmark_set_id from run_benchmark where run_id = %(run_id)s order by benchmark_set_id"
_variant, _overlap, _item = map(table_of, (Variant, Overlap, BenchmarkItem))


@dataclass(frozen=True, slots=True)
class _Match:
    item_id: int
    position: int
    kind: str
    grams: int
    similarity: float | None
    passage: str

    @property
    def rank(self) -> tuple[int, float, int]:
        """The least is what is shown: most words, then most similar, then first in the set."""
        return -self.grams, -(self.similarity or 0.0), self.position


def hold(run_id: int) -> Statement:
    """Keeps the sets that the run's variants are compared with as they are, until the transaction ends.

    The lock waits for a check that adds some (it holds the run FOR UPDATE), and makes one wait that would begin before
    this transaction ends: so every variant is compared by one of them.
    """
    return Statement(_HOLD, {"run_id": run_id})


def sets_of(run_id: int) -> Statement:
    """A row with the id of each set that the run's variants are compared with; to be held before."""
    return Statement(_SETS, {"run_id": run_id})


def sets_of_run(session: Session, run_id: int) -> list[int]:
    """The sets that the run's variants are compared with; held."""
    execute(session, *hold(run_id))
    return [set_id for (set_id,) in execute(session, *sets_of(run_id))]


def mark(session: Session, workspace_id: int, sets: Sequence[int], problems: Mapping[int, Problem]) -> None:
    """Writes what each variant shares with `sets`, in place of what stood there."""
    if not sets or not problems:
        return
    session.execute(delete(Overlap).where(Overlap.variant_id.in_(problems), Overlap.benchmark_set_id.in_(sets)))
    rows = [
        {
            "variant_id": variant_id,
            "workspace_id": workspace_id,
            "benchmark_set_id": set_id,
            "benchmark_item_id": match.item_id,
            "kind": match.kind,
            "grams": match.grams,
            "similarity": match.similarity,
            "passage": match.passage,
        }
        for variant_id, problem in sorted(problems.items())
        for set_id, match in sorted(_matches(session, sets, problem).items())
    ]
    if rows:
        # A set may be going away just now: then nothing is shared with it.
        named = select(BenchmarkSet.id).where(BenchmarkSet.id.in_({row["benchmark_set_id"] for row in rows}))
        held = named.order_by(BenchmarkSet.id).with_for_update(read=True, key_share=True)
        there = set(session.execute(held).scalars())
        rows = [row for row in rows if row["benchmark_set_id"] in there]
    if rows:
        session.execute(insert(_overlap), rows)
    refresh(session, problems)


def refresh(session: Session, variants: Iterable[int]) -> None:
    """Sets `contaminated` to what the overlaps say, in the order of ids."""
    named = exists().where(Overlap.variant_id == _variant.c.id)
    for variant_id in sorted(variants):
        session.execute(
            update(_variant)
            .where(_variant.c.id == variant_id, _variant.c.contaminated.is_distinct_from(named))
            .values(contaminated=named)
        )


def _matches(session: Session, sets: Collection[int], problem: Problem) -> dict[int, _Match]:
    """Set -> what the problem shares most with."""
    texts = (problem.message, problem.program)
    grams, code = variant_grams(texts), sketch(problem.program)
    alike = _item.c.bands.overlap(list(bands(code.signature, width=CODE_WIDTH)))
    found = session.execute(
        select(
            _item.c.benchmark_set_id,
            _item.c.id,
            _item.c.position,
            _item.c.grams,
            _item.c.signature,
            func.left(_item.c.code, _CODE).label("code"),
        ).where(
            _item.c.benchmark_set_id.in_(sets),
            or_(_item.c.grams.overlap(sorted(grams)), and_(_item.c.signature.is_not(None), alike)),
        )
    )
    best: dict[int, _Match] = {}
    for item in found:
        match = _match(item, texts, grams, code)
        known = best.get(item.benchmark_set_id)
        if match is not None and (known is None or match.rank < known.rank):
            best[item.benchmark_set_id] = match
    return best


def _match(item: Any, texts: Sequence[str], grams: set[int], code: Sketch) -> _Match | None:
    shared = grams.intersection(item.grams)
    alike = similarity(code.signature, item.signature) if item.signature and code.size >= CODE_SIZE else 0.0
    is_alike = alike >= CODE_SIMILARITY
    if shared:
        passage = shared_passage(texts, shared)
        return _Match(item.id, item.position, "text", len(shared), alike if is_alike else None, passage)
    if is_alike:
        return _Match(item.id, item.position, "code", 0, alike, item.code)
    return None
