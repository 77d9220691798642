"""Variants as lines of a list, each with how the run's own student did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from app.db import Session
from app.domain.difficulty import Tally, bin_of
from app.features.chains.filters import VariantFilter
from app.features.chains.headlines import cut, headline
from app.features.chains.queries.tree import matching
from app.features.chains.schemas import Likeness, VariantRow
from app.features.runs.queries import measured_by_run, similar_variant, usable_variant
from app.models import Measurement, Run, Variant

_ROW = (
    Variant.id,
    Variant.run_id,
    Variant.chain_id,
    Variant.parent_id,
    Variant.growth_id,
    Variant.turn,
    Variant.branch,
    Variant.path,
    Variant.depth,
    Variant.subtree,
    Variant.environment,
    Variant.direction,
    Variant.stage,
    Variant.invalid_code,
    Variant.duplicate_of,
    Variant.review,
    Variant.content_hash,
    Variant.contaminated,
)
_near, _known = aliased(Variant), aliased(Variant)
_NAMES = [column.key for column in _ROW]
_OWN = len(_ROW)


def _select_rows(workspace_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            *_ROW,
            Variant.problem,
            Variant.invalid_detail,
            func.coalesce(Measurement.passed, 0),
            func.coalesce(Measurement.failed, 0),
            func.coalesce(Measurement.errors, 0),
            Measurement.rate,
            func.coalesce(usable_variant(), False),
            similar_variant(),
            *_likeness(_near, Variant.near_similarity),
            *_likeness(_known, Variant.known_similarity),
        )
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .outerjoin(_near, _near.id == Variant.near_of)
        .outerjoin(_known, _known.id == Variant.known_of)
        .where(Variant.workspace_id == workspace_id)
    )


def _likeness(other: type[Variant], similarity: Any) -> tuple[Any, ...]:
    return other.id, other.run_id, other.chain_id, other.turn, other.branch, similarity


def _like(values: Sequence[Any]) -> Likeness | None:
    variant_id, run_id, chain_id, turn, branch, similarity = values
    return Likeness(variant_id, run_id, chain_id, f"{turn}.{branch}", similarity) if variant_id else None


def _row(values: Sequence[Any]) -> VariantRow:
    own, (problem, detail, passed, failed, errors, rate, usable, similar) = values[:_OWN], values[_OWN : _OWN + 8]
    near, known = values[_OWN + 8 : _OWN + 14], values[_OWN + 14 :]
    return VariantRow(
        **dict(zip(_NAMES, own, strict=True)),
        headline=headline(problem) or cut(detail),
        tally=Tally(passed, failed, errors),
        rate=rate,
        bin=None if rate is None else bin_of(rate),
        usable=usable,
        near=_like(near),
        known=_like(known),
        similar=similar,
    )


def variant_rows(session: Session, workspace_id: int, ids: Sequence[int]) -> dict[int, VariantRow]:
    rows = session.execute(_select_rows(workspace_id).where(Variant.id.in_(ids)))
    return {row.id: row for row in map(_row, rows)}


def rows_of_chain(session: Session, workspace_id: int, chain_id: int) -> list[VariantRow]:
    """All variants of a chain in preorder."""
    statement = _select_rows(workspace_id).where(Variant.chain_id == chain_id).order_by(Variant.path.collate("C"))
    return [_row(values) for values in session.execute(statement)]


def variant_page(
    session: Session, workspace_id: int, run_id: int, wanted: VariantFilter, after: int, limit: int
) -> list[VariantRow]:
    """Variants by id, for programs that read them all."""
    ids = select(matching(run_id, wanted).subquery().c.id)
    statement = _select_rows(workspace_id).where(Variant.id.in_(ids), Variant.id > after)
    return [_row(values) for values in session.execute(statement.order_by(Variant.id).limit(limit))]
