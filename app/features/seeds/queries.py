"""Every select of the seeds feature, scoped by workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db import Session
from app.features.seeds.schemas import Kind, SeedFilter, SeedRow, SetPart, SetRow
from app.models import Run, Seed, SeedSet, User


def add_set(session: Session, workspace_id: int, user_id: int, name: str, origin: str) -> int | None:
    """The id of the new set; None where the name is taken."""
    return session.execute(
        upsert(SeedSet)
        .values(workspace_id=workspace_id, name=name, origin=origin, created_by=user_id, seed_count=0)
        .on_conflict_do_nothing(index_elements=["workspace_id", "name"])
        .returning(SeedSet.id)
    ).scalar()


def add_seeds(session: Session, rows: Sequence[dict[str, object]]) -> None:
    session.execute(insert(Seed), rows)


def set_count(session: Session, set_id: int, count: int) -> None:
    session.execute(update(SeedSet).where(SeedSet.id == set_id).values(seed_count=count))


def names_like(session: Session, workspace_id: int, start: str) -> set[str]:
    """Names of sets that begin with `start`."""
    found = select(SeedSet.name).where(
        SeedSet.workspace_id == workspace_id, SeedSet.name.startswith(start, autoescape=True)
    )
    return set(session.execute(found).scalars())


def sets(session: Session, workspace_id: int, *, before: int | None = None, limit: int | None = 100) -> list[SetRow]:
    """Newest first; those older than the set `before`."""
    found = _sets(workspace_id).order_by(SeedSet.id.desc()).limit(limit)
    if before is not None:
        found = found.where(SeedSet.id < before)
    return [_set_row(row) for row in session.execute(found)]


def one_set(session: Session, workspace_id: int, set_id: int) -> SetRow | None:
    row = session.execute(_sets(workspace_id).where(SeedSet.id == set_id)).first()
    return _set_row(row) if row else None


def _sets(workspace_id: int) -> Select[SeedSet, str | None, int]:
    runs = select(func.count()).where(Run.seed_set_id == SeedSet.id).correlate(SeedSet).scalar_subquery()
    return (
        select(SeedSet, User.name, runs)
        .outerjoin(User, User.id == SeedSet.created_by)
        .where(SeedSet.workspace_id == workspace_id)
    )


def _set_row(row: tuple[SeedSet, str | None, int]) -> SetRow:
    found, author, runs = row
    return SetRow(found.id, found.name, found.origin, found.seed_count, found.created_at, author, runs)


def parts(session: Session, set_id: int, workspace_id: int, limit: int = 50) -> list[SetPart]:
    """How many seeds of which kind, language and licence a set holds; the largest parts first."""
    count = func.count()
    rows = session.execute(
        select(Seed.kind, Seed.language, Seed.licence, count)
        .where(Seed.seed_set_id == set_id, Seed.workspace_id == workspace_id)
        .group_by(Seed.kind, Seed.language, Seed.licence)
        .order_by(count.desc(), Seed.kind, Seed.language, Seed.licence)
        .limit(limit)
    )
    return [SetPart(cast("Kind", kind), language, licence, number) for kind, language, licence, number in rows]


def seeds(
    session: Session, workspace_id: int, set_id: int, chosen: SeedFilter, *, offset: int, limit: int
) -> list[SeedRow]:
    """In the order of the set."""
    found = _chosen(workspace_id, set_id, chosen).order_by(Seed.position).offset(offset).limit(limit)
    return [_seed_row(seed) for seed in session.execute(found).scalars()]


def seeds_after(session: Session, workspace_id: int, set_id: int, position: int, limit: int) -> list[SeedRow]:
    """The next seeds of the set after `position`."""
    found = _chosen(workspace_id, set_id, SeedFilter()).where(Seed.position > position)
    return [_seed_row(seed) for seed in session.execute(found.order_by(Seed.position).limit(limit)).scalars()]


def position_of(session: Session, workspace_id: int, set_id: int, seed_id: int) -> int | None:
    return session.execute(
        select(Seed.position).where(Seed.id == seed_id, Seed.seed_set_id == set_id, Seed.workspace_id == workspace_id)
    ).scalar()


def _chosen(workspace_id: int, set_id: int, chosen: SeedFilter) -> Select[Seed]:
    found = select(Seed).where(Seed.seed_set_id == set_id, Seed.workspace_id == workspace_id)
    if chosen.kind:
        found = found.where(Seed.kind == chosen.kind)
    if chosen.language:
        found = found.where(Seed.language == chosen.language)
    if chosen.licence is not None:
        found = found.where(Seed.licence == chosen.licence)
    if chosen.q:
        found = found.where(
            or_(Seed.text.icontains(chosen.q, autoescape=True), Seed.source.icontains(chosen.q, autoescape=True))
        )
    return found


def _seed_row(seed: Seed) -> SeedRow:
    return SeedRow(
        seed.id,
        seed.position,
        cast("Kind", seed.kind),
        seed.text,
        seed.language,
        seed.licence,
        seed.source,
        seed.digest,
    )


def lock_set(session: Session, workspace_id: int, set_id: int) -> str | None:
    """The set's name, and no run can begin to use it before this transaction ends; None where there is none."""
    return session.execute(
        select(SeedSet.name).where(SeedSet.id == set_id, SeedSet.workspace_id == workspace_id).with_for_update()
    ).scalar()


def runs_using(session: Session, workspace_id: int, set_id: int) -> int:
    return session.execute(
        select(func.count()).select_from(Run).where(Run.seed_set_id == set_id, Run.workspace_id == workspace_id)
    ).scalar_one()


def delete_set(session: Session, workspace_id: int, set_id: int) -> None:
    session.execute(delete(SeedSet).where(SeedSet.id == set_id, SeedSet.workspace_id == workspace_id))
