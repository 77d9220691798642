"""Every select of benchmark sets, and what changes them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, and_, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.db import Session
from app.features.benchmarks.schemas import CheckRow, Contamination, ItemRow, OverlapRow, SetRow
from app.models import BenchmarkItem, BenchmarkSet, Overlap, Run, RunBenchmark, RunCheck, User, Variant


def add_set(session: Session, workspace_id: int, user_id: int, name: str, origin: str) -> int | None:
    """The id of the new set; None where the name is taken."""
    return session.execute(
        upsert(BenchmarkSet)
        .values(workspace_id=workspace_id, name=name, origin=origin, created_by=user_id, item_count=0)
        .on_conflict_do_nothing(index_elements=["workspace_id", "name"])
        .returning(BenchmarkSet.id)
    ).scalar()


def add_items(session: Session, rows: Sequence[dict[str, object]]) -> None:
    session.execute(insert(BenchmarkItem), rows)


def set_count(session: Session, set_id: int, count: int) -> None:
    session.execute(update(BenchmarkSet).where(BenchmarkSet.id == set_id).values(item_count=count))


def names_like(session: Session, workspace_id: int, start: str) -> set[str]:
    found = select(BenchmarkSet.name).where(
        BenchmarkSet.workspace_id == workspace_id, BenchmarkSet.name.startswith(start, autoescape=True)
    )
    return set(session.execute(found).scalars())


def sets(session: Session, workspace_id: int) -> list[SetRow]:
    """Newest first."""
    return [_set_row(row) for row in session.execute(_sets(workspace_id).order_by(BenchmarkSet.id.desc()))]


def one_set(session: Session, workspace_id: int, set_id: int) -> SetRow | None:
    row = session.execute(_sets(workspace_id).where(BenchmarkSet.id == set_id)).first()
    return _set_row(row) if row else None


def _sets(workspace_id: int) -> Select[BenchmarkSet, str | None, int, int]:
    runs = select(func.count()).where(RunBenchmark.benchmark_set_id == BenchmarkSet.id).correlate(BenchmarkSet)
    marked = select(func.count()).where(Overlap.benchmark_set_id == BenchmarkSet.id).correlate(BenchmarkSet)
    return (
        select(BenchmarkSet, User.name, runs.scalar_subquery(), marked.scalar_subquery())
        .outerjoin(User, User.id == BenchmarkSet.created_by)
        .where(BenchmarkSet.workspace_id == workspace_id)
    )


def _set_row(row: tuple[BenchmarkSet, str | None, int, int]) -> SetRow:
    found, author, runs, marked = row
    return SetRow(found.id, found.name, found.origin, found.item_count, found.created_at, author, runs, marked)


def items(session: Session, workspace_id: int, set_id: int, *, after: int, limit: int) -> list[ItemRow]:
    """In the order of the set, behind the position `after`."""
    marked = select(func.count()).where(Overlap.benchmark_item_id == BenchmarkItem.id).correlate(BenchmarkItem)
    rows = session.execute(
        select(BenchmarkItem, marked.scalar_subquery())
        .where(
            BenchmarkItem.workspace_id == workspace_id,
            BenchmarkItem.benchmark_set_id == set_id,
            BenchmarkItem.position > after,
        )
        .order_by(BenchmarkItem.position)
        .limit(limit)
    )
    return [
        ItemRow(
            item.id,
            item.position,
            item.name,
            item.statement,
            item.code,
            bool(item.grams or item.signature),
            count,
        )
        for item, count in rows
    ]


def position_of(session: Session, workspace_id: int, set_id: int, item_id: int) -> int | None:
    return session.execute(
        select(BenchmarkItem.position).where(
            BenchmarkItem.id == item_id,
            BenchmarkItem.benchmark_set_id == set_id,
            BenchmarkItem.workspace_id == workspace_id,
        )
    ).scalar()


def lock_set(session: Session, workspace_id: int, set_id: int) -> str | None:
    """The set's name, and nothing begins to refer to it before this transaction ends; None where there is none."""
    return session.execute(
        select(BenchmarkSet.name)
        .where(BenchmarkSet.id == set_id, BenchmarkSet.workspace_id == workspace_id)
        .with_for_update()
    ).scalar()


def delete_set(session: Session, workspace_id: int, set_id: int) -> None:
    """With all that variants share with it; those that share nothing else are contaminated no more."""
    shares = select(Overlap.variant_id).where(Overlap.variant_id == Variant.id)
    with_it = shares.where(Overlap.benchmark_set_id == set_id).exists()
    with_others = shares.where(Overlap.benchmark_set_id != set_id).exists()
    session.execute(
        update(Variant)
        .where(Variant.workspace_id == workspace_id, with_it, ~with_others)
        .values(contaminated=False)
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(BenchmarkSet).where(BenchmarkSet.id == set_id, BenchmarkSet.workspace_id == workspace_id))


# --- what runs are compared with ---------------------------------------------------------------------------------


def compare_with_all(session: Session, workspace_id: int, run_id: int) -> int:
    """The run is compared with every set of its workspace from now on. How many of them are new to it."""
    all_sets = (
        select(literal(run_id), BenchmarkSet.id, BenchmarkSet.workspace_id)
        .where(BenchmarkSet.workspace_id == workspace_id)
        .order_by(BenchmarkSet.id)
        .with_for_update(read=True, key_share=True)  # waits for one that is being deleted
    )
    added = session.execute(
        upsert(RunBenchmark)
        .from_select(["run_id", "benchmark_set_id", "workspace_id"], all_sets)
        .on_conflict_do_nothing()
        .returning(RunBenchmark.benchmark_set_id)
    ).all()
    return len(added)


def sets_of_run(session: Session, run_id: int) -> list[int]:
    found = select(RunBenchmark.benchmark_set_id).where(RunBenchmark.run_id == run_id)
    return list(session.execute(found.order_by(RunBenchmark.benchmark_set_id)).scalars())


def any_set(session: Session, workspace_id: int) -> bool:
    found = select(BenchmarkSet.id).where(BenchmarkSet.workspace_id == workspace_id).limit(1)
    return session.execute(found).scalar() is not None


def contamination(session: Session, workspace_id: int, run_id: int) -> Contamination | None:
    """What a run was compared with and what came of it, in two queries; None where there is no such run."""
    valid = select(func.count(), func.count().filter(Variant.contaminated).label("contaminated")).where(
        Variant.run_id == run_id, Variant.problem.is_not(None), Variant.invalid_code.is_(None)
    )
    counted = valid.subquery()
    found = session.execute(
        select(RunCheck, *counted.c)
        .select_from(Run)
        .join(counted, literal(True))
        .outerjoin(RunCheck, RunCheck.run_id == Run.id)
        .where(Run.id == run_id, Run.workspace_id == workspace_id)
    ).first()
    if found is None:
        return None
    check, count, contaminated = found
    rows = session.execute(
        select(BenchmarkSet.id, BenchmarkSet.name, RunBenchmark.run_id)
        .outerjoin(RunBenchmark, and_(RunBenchmark.benchmark_set_id == BenchmarkSet.id, RunBenchmark.run_id == run_id))
        .where(BenchmarkSet.workspace_id == workspace_id)
        .order_by(BenchmarkSet.name)
    ).all()
    return Contamination(
        sets={set_id: name for set_id, name, compared in rows if compared is not None},
        missing=sum(compared is None for *_, compared in rows),
        valid=count,
        contaminated=contaminated,
        check=check and CheckRow(check.state, check.done, check.total, check.started_at, check.finished_at),
    )


def overlaps(session: Session, workspace_id: int, variant_id: int) -> list[OverlapRow]:
    """What a variant shares with each set, the most first."""
    rows = session.execute(
        select(BenchmarkSet.id, BenchmarkSet.name, BenchmarkItem.id, BenchmarkItem.name, Overlap)
        .select_from(Overlap)
        .join(BenchmarkItem, BenchmarkItem.id == Overlap.benchmark_item_id)
        .join(BenchmarkSet, BenchmarkSet.id == Overlap.benchmark_set_id)
        .where(Overlap.variant_id == variant_id, Overlap.workspace_id == workspace_id)
        .order_by(Overlap.grams.desc(), Overlap.similarity.desc(), BenchmarkSet.id)
    )
    return [
        OverlapRow(set_id, set_name, item_id, item_name, row.kind, row.grams, row.similarity, row.passage)
        for set_id, set_name, item_id, item_name, row in rows
    ]
