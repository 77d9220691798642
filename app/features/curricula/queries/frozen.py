"""The problems of a frozen version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select

from app.db import Session
from app.models import (
    CurriculumItem,
)

_AT_ONCE = 1_000


def add_items(session: Session, items: Sequence[dict[str, object]]) -> None:
    for start in range(0, len(items), _AT_ONCE):
        session.execute(insert(CurriculumItem), items[start : start + _AT_ONCE])


def items(
    session: Session,
    workspace_id: int,
    version_id: int,
    *,
    positions: Sequence[int] | None = None,
    limit: int | None = None,
) -> list[CurriculumItem]:
    """Whole items in order: those at `positions`, or the first `limit`."""
    query = (
        select(CurriculumItem)
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .order_by(CurriculumItem.position)
        .limit(limit)
    )
    if positions is not None:
        query = query.where(CurriculumItem.position.in_(positions))
    return list(session.execute(query).scalars())


def item_counts(session: Session, workspace_id: int, version_id: int) -> dict[tuple[str, str], int]:
    """(environment, difficulty) -> number of problems."""
    rows = session.execute(
        select(CurriculumItem.environment, CurriculumItem.difficulty, func.count())
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .group_by(CurriculumItem.environment, CurriculumItem.difficulty)
    )
    return {(environment, difficulty): count for environment, difficulty, count in rows}


def item_rates(session: Session, workspace_id: int, version_id: int) -> list[tuple[float, int]]:
    """Each pass rate with its number of problems."""
    rows = session.execute(
        select(CurriculumItem.rate, func.count())
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .group_by(CurriculumItem.rate)
        .order_by(CurriculumItem.rate)
    )
    return [(rate, count) for rate, count in rows]


@dataclass(frozen=True, slots=True)
class ItemKey:
    """One problem of a frozen version, without its row."""

    position: int
    variant_id: int
    content_hash: str
    environment: str
    difficulty: str
    rate: float


def item_keys(session: Session, workspace_id: int, version_id: int) -> list[ItemKey]:
    rows = session.execute(
        select(
            CurriculumItem.position,
            CurriculumItem.variant_id,
            CurriculumItem.content_hash,
            CurriculumItem.environment,
            CurriculumItem.difficulty,
            CurriculumItem.rate,
        )
        .where(CurriculumItem.workspace_id == workspace_id, CurriculumItem.version_id == version_id)
        .order_by(CurriculumItem.position)
    )
    return [ItemKey(**row._mapping) for row in rows]
