"""Reading what a run has grown: its chains, and one variant in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from app import registry
from app.db import Session
from app.domain.actor import Actor
from app.domain.difficulty import Tally, bin_of
from app.domain.problem import Judgement, Problem
from app.domain.problem_codec import decode_problem
from app.domain.reasons import ATTEMPT, VALIDITY, Reason, meaning
from app.domain.summary import representatives
from app.errors import InvalidInput, NotFound
from app.features.benchmarks import queries as benchmark_queries
from app.features.chains.filters import ChainQuery, VariantFilter
from app.features.chains.queries import chains as chain_queries
from app.features.chains.queries import rows as row_queries
from app.features.chains.queries import variant as variant_queries
from app.features.chains.schemas import (
    AttemptPage,
    AttemptView,
    ChainRow,
    MeasurementView,
    RunFacts,
    SeedView,
    VariantRow,
    VariantView,
)
from app.features.growths import queries as growth_queries
from app.models import Attempt


def run_facts(session: Session, actor: Actor, run_id: int) -> RunFacts:
    """Raises NotFound."""
    found = chain_queries.run(session, actor.workspace_id, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id} in this workspace.")
    return found


def list_chains(session: Session, actor: Actor, run_id: int, query: ChainQuery) -> tuple[list[ChainRow], bool]:
    """A page of chains, and whether there are more. Raises NotFound, or InvalidInput where `after` is gone."""
    run_facts(session, actor, run_id)
    ids = chain_queries.chain_ids(session, run_id, query, query.sort, query.after, query.limit + 1)
    if ids is None:
        raise gone("after")
    rows = chain_queries.chain_rows(session, actor.workspace_id, ids[: query.limit])
    return [rows[key] for key in ids[: query.limit]], len(ids) > query.limit


def chain(session: Session, actor: Actor, chain_id: int) -> tuple[ChainRow, list[VariantRow]]:
    """A chain and all its variants in preorder. Raises NotFound."""
    found = chain_queries.chain_rows(session, actor.workspace_id, [chain_id]).get(chain_id)
    if found is None:
        raise NotFound(f"There is no chain {chain_id} in this workspace.")
    return found, row_queries.rows_of_chain(session, actor.workspace_id, chain_id)


def list_variants(
    session: Session, actor: Actor, run_id: int, wanted: VariantFilter, after: int, limit: int
) -> tuple[list[VariantRow], bool]:
    """Variants of a run by id, and whether there are more. Raises NotFound."""
    run_facts(session, actor, run_id)
    rows = row_queries.variant_page(session, actor.workspace_id, run_id, wanted, after, limit + 1)
    return rows[:limit], len(rows) > limit


def variant_row(session: Session, actor: Actor, variant_id: int) -> VariantRow:
    """Raises NotFound."""
    found = row_queries.variant_rows(session, actor.workspace_id, [variant_id]).get(variant_id)
    if found is None:
        raise NotFound(f"There is no variant {variant_id} in this workspace.")
    return found


def variant(session: Session, actor: Actor, variant_id: int) -> VariantView:
    """Raises NotFound."""
    found = variant_queries.variant(session, actor.workspace_id, variant_id)
    if found is None:
        raise NotFound(f"There is no variant {variant_id} in this workspace.")
    home, family = chain(session, actor, found.chain_id)
    seed, teacher = variant_queries.seed_and_teacher(session, found.chain_id)
    twin = variant_row(session, actor, found.duplicate_of) if found.duplicate_of else None
    reasons = reasons_of(found.environment)
    return VariantView(
        row=next(row for row in family if row.id == found.id),
        run=run_facts(session, actor, found.run_id),
        chain=home,
        seed=seed,
        teacher=teacher,
        problem=decode_problem(found.problem) if found.problem else None,
        why=meaning(found.invalid_code, {**reasons, **VALIDITY}) if found.invalid_code else None,
        invalid_detail=found.invalid_detail,
        twin=twin,
        overlaps=benchmark_queries.overlaps(session, actor.workspace_id, variant_id) if found.contaminated else (),
        measurements=_measurements(session, variant_id),
        family=family,
        requests=growth_queries.of_chain(session, actor.workspace_id, found.chain_id),
        target=(found.target_low, found.target_high),
        reply=found.reply,
        reasoning=found.reasoning,
        finish_reason=found.finish_reason,
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        prompt_hash=found.prompt_hash,
        environment_version=found.environment_version,
        isolation=found.isolation,
        fingerprint=found.fingerprint,
        created_at=found.created_at,
    )


def problem(session: Session, actor: Actor, variant_id: int) -> Problem | None:
    """The problem of a variant, None for an invalid one."""
    found = variant_queries.variant(session, actor.workspace_id, variant_id)
    return decode_problem(found.problem) if found and found.problem else None


def seed_of(session: Session, actor: Actor, chain_id: int) -> SeedView:
    """The seed of a chain. Raises NotFound."""
    if chain_id not in chain_queries.chain_rows(session, actor.workspace_id, [chain_id]):
        raise NotFound(f"There is no chain {chain_id} in this workspace.")
    return variant_queries.seed_and_teacher(session, chain_id)[0]


def _measurements(session: Session, variant_id: int) -> list[MeasurementView]:
    rows = variant_queries.measurements(session, variant_id)
    told: dict[int, list[tuple[str, Judgement]]] = defaultdict(list)
    for at, reply, judgement in variant_queries.judgements(session, [row.id for row, _, _ in rows]):
        told[at].append((reply, judgement))
    return [
        MeasurementView(
            id=row.id,
            student=student,
            tally=Tally(row.passed, row.failed, row.errors),
            rate=row.rate,
            bin=None if row.rate is None else bin_of(row.rate),
            cut=row.cut,
            prompt_hash=row.prompt_hash,
            isolation=row.isolation,
            judged_at=row.judged_at,
            by_run=own,
            examples=representatives(told[row.id]),
        )
        for row, student, own in rows
    ]


def attempts(
    session: Session,
    actor: Actor,
    variant_id: int,
    *,
    measurement_id: int | None = None,
    verdict: str | None = None,
    first: int = 1,
    limit: int = 10,
) -> AttemptPage:
    """Attempts from the `first` on (of those with `verdict`), by the run's student or those of `measurement_id`."""
    row = variant_row(session, actor, variant_id)
    measured = [measurement for measurement, _, _ in variant_queries.measurements(session, variant_id)]
    chosen = next((m for m in measured if measurement_id is None or m.id == measurement_id), None)
    if chosen is None:
        if measurement_id is not None:
            raise NotFound(f"Variant {variant_id} has no measurement {measurement_id}.")
        return AttemptPage((), 0, first, {})
    counts = variant_queries.attempt_counts(session, chosen.id)
    found = variant_queries.attempts(session, chosen.id, verdict, first - 1, limit)
    reasons = {**reasons_of(row.environment), **ATTEMPT}
    total = counts.get(verdict, 0) if verdict else sum(counts.values())
    return AttemptPage([_attempt(attempt, reasons) for attempt in found], total, first, counts)


def _attempt(row: Attempt, reasons: Mapping[str, Reason]) -> AttemptView:
    return AttemptView(
        number=row.number,
        verdict=row.verdict,
        reason=row.reason,
        meaning=meaning(row.reason, reasons).sentence if row.reason else "",
        detail=row.detail,
        answer=row.answer,
        reply=row.reply,
        reasoning=row.reasoning,
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
    )


def reasons_of(environment: str) -> Mapping[str, Reason]:
    """The environment's table of machine names; empty for one that is no longer installed."""
    known = registry.environments().get(environment)
    return known.reasons if known else {}


def gone(field: str) -> InvalidInput:
    return InvalidInput("The row that this page starts from is gone.", field=field, remedy="Start from the first page.")
