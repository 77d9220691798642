"""What is read of embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import and_, func, select

from app.db import Session
from app.domain.embeddings import text_of
from app.domain.problem_codec import decode_problem
from app.features.chains.headlines import headline
from app.features.embeddings.schemas import SPREADS, Place, RunEmbeddings
from app.models import Chain, Embedding, ModelProfile, Run, RunEmbedding, Variant

VALID = and_(Variant.problem.is_not(None), Variant.invalid_code.is_(None))


class Embedded(NamedTuple):
    arm: str
    environment: str
    chain_id: int
    variant_id: int
    vector: bytes


def of_run(session: Session, workspace_id: int, run_id: int) -> RunEmbeddings | None:
    """None where the workspace has no such run."""
    row = session.execute(
        select(RunEmbedding, ModelProfile.engine, ModelProfile.model)
        .select_from(Run)
        .outerjoin(RunEmbedding, RunEmbedding.run_id == Run.id)
        .outerjoin(ModelProfile, ModelProfile.id == RunEmbedding.profile_id)
        .where(Run.id == run_id, Run.workspace_id == workspace_id)
    ).first()
    if row is None:
        return None
    asked, engine, model = row
    valid, tried, embedded = _counts(session, run_id, asked.profile_id if asked else None)
    if asked is None:
        return RunEmbeddings(run_id, valid)
    return RunEmbeddings(
        run_id=run_id,
        valid=valid,
        state=asked.state,
        error=asked.error,
        engine=engine,
        model=model,
        config=asked.config,
        embedded=embedded,
        too_long=tried - embedded,
        started_at=asked.started_at,
        finished_at=asked.finished_at,
        spreads=SPREADS.validate_python(asked.figures or []),
    )


def _counts(session: Session, run_id: int, profile_id: int | None) -> tuple[int, int, int]:
    """Valid variants; how many of them the model was given; how many have a vector."""
    row = session.execute(
        select(func.count(), func.count(Embedding.variant_id), func.count(Embedding.vector))
        .select_from(Variant)
        .outerjoin(Embedding, and_(Embedding.variant_id == Variant.id, Embedding.profile_id == profile_id))
        .where(Variant.run_id == run_id, VALID)
    ).one()
    return row[0], row[1], row[2]


def missing(session: Session, run_id: int, profile_id: int) -> list[int]:
    """Ids of the valid variants that the model was not given yet."""
    rows = session.execute(
        select(Variant.id)
        .outerjoin(Embedding, and_(Embedding.variant_id == Variant.id, Embedding.profile_id == profile_id))
        .where(Variant.run_id == run_id, VALID, Embedding.variant_id.is_(None))
        .order_by(Variant.id)
    )
    return list(rows.scalars())


def texts(session: Session, variant_ids: Sequence[int]) -> dict[int, str]:
    """What a model is given of each that is valid still."""
    rows = session.execute(select(Variant.id, Variant.problem).where(Variant.id.in_(variant_ids), VALID))
    return {variant_id: text_of(decode_problem(problem)) for variant_id, problem in rows if problem is not None}


def vectors(session: Session, run_id: int, profile_id: int) -> list[Embedded]:
    """Those of what the run grew by itself, in its order."""
    rows = session.execute(
        select(Chain.arm, Variant.environment, Variant.chain_id, Variant.id, Embedding.vector)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Embedding, and_(Embedding.variant_id == Variant.id, Embedding.profile_id == profile_id))
        .where(Variant.run_id == run_id, VALID, Variant.growth_id.is_(None), Embedding.vector.is_not(None))
        .order_by(Chain.position, Variant.turn, Variant.branch)
    )
    return [
        Embedded(arm, environment, chain_id, variant_id, vector)
        for arm, environment, chain_id, variant_id, vector in rows
        if vector is not None
    ]


def places(session: Session, variant_ids: Iterable[int]) -> dict[int, Place]:
    rows = session.execute(
        select(Variant.id, Variant.chain_id, Variant.turn, Variant.branch, Variant.problem).where(
            Variant.id.in_(set(variant_ids))
        )
    )
    return {
        variant_id: Place(chain_id, f"{turn}.{branch}", headline(problem))
        for variant_id, chain_id, turn, branch, problem in rows
    }
