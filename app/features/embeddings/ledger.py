"""What a lane writes down while it embeds: a batch in a transaction, as long as the request is its own.

Each write is idempotent, since a connection can be cut while COMMIT is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.config import settings
from app.db import Session
from app.domain.embeddings import pack
from app.errors import EngineError, LeaseLost
from app.features.embeddings.schemas import SPREADS, EmbedConfig, EmbeddingSpread
from app.features.runs.claims import QUARANTINE
from app.models import Embedding, RunEmbedding


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to drive a request until the lease ends or it is asked for anew."""

    run_id: int
    workspace_id: int
    owner: str
    profile_id: int
    config: EmbedConfig


_LEFT = {"owner": None, "lease_expires_at": None, "deaths": 0}


def _until() -> ColumnElement[datetime]:
    return func.now() + timedelta(seconds=settings().lease_s)


def start(session: Session, workspace_id: int, run_id: int, profile_id: int, config: EmbedConfig) -> bool:
    """Puts the request in the place of the one before; False where the same is under way."""
    asked = {
        "profile_id": profile_id,
        "state": "running",
        "config": config.model_dump(mode="json"),
        "figures": None,
        "error": "",
        "started_at": func.now(),
        "finished_at": None,
        **_LEFT,
    }
    added = insert(RunEmbedding).values(run_id=run_id, workspace_id=workspace_id, **asked)
    begun = session.execute(
        added.on_conflict_do_update(
            index_elements=["run_id"],
            set_=asked,
            where=or_(RunEmbedding.state != "running", RunEmbedding.profile_id != profile_id),
        ).returning(RunEmbedding.run_id)
    )
    return begun.scalar() is not None


def claim(session: Session, run_id: int, owner: str) -> Claim | None:
    """None where there is nothing to drive, or somebody does. One that kills its worker again and again pauses."""
    orphaned = or_(RunEmbedding.owner.is_(None), RunEmbedding.lease_expires_at < func.now())
    deaths = case((RunEmbedding.owner.is_not(None), RunEmbedding.deaths + 1), else_=RunEmbedding.deaths)
    row = session.execute(
        update(RunEmbedding)
        .where(RunEmbedding.run_id == run_id, RunEmbedding.state == "running", orphaned)
        .values(owner=owner, lease_expires_at=_until(), deaths=deaths)
        .returning(RunEmbedding)
    ).scalar()
    if row is None:
        return None
    taken = Claim(run_id, row.workspace_id, owner, row.profile_id, EmbedConfig.model_validate(row.config))
    if row.deaths >= QUARANTINE:
        pause(session, taken, f"The worker died {QUARANTINE} times in a row while it embedded.")
        return None
    return taken


def _mine(claim: Claim) -> ColumnElement[bool]:
    return and_(RunEmbedding.run_id == claim.run_id, RunEmbedding.owner == claim.owner, RunEmbedding.state == "running")


def _write(session: Session, claim: Claim, **values: object) -> None:
    """Raises LeaseLost."""
    held = session.execute(update(RunEmbedding).where(_mine(claim)).values(**values).returning(RunEmbedding.run_id))
    if held.scalar() is None:
        raise LeaseLost(f"The embedding of run {claim.run_id} was paused or asked for anew, or is another lane's.")


def renew(session: Session, claim: Claim) -> None:
    """Raises LeaseLost."""
    _write(session, claim, lease_expires_at=_until())


def release(session: Session, claim: Claim) -> None:
    session.execute(update(RunEmbedding).where(_mine(claim)).values(owner=None, lease_expires_at=None))


def tell(session: Session, claim: Claim, error: str) -> None:
    """Trouble that may pass: it stands there until the next batch. Raises LeaseLost."""
    _write(session, claim, error=error)


def pause(session: Session, claim: Claim, error: str) -> None:
    """Trouble that stays: it goes on when somebody asks again. Nothing happens where the lease is lost."""
    session.execute(update(RunEmbedding).where(_mine(claim)).values(state="paused", error=error, **_LEFT))


def stop(session: Session, run_id: int) -> bool:
    """Pauses it, whoever drives it; False where it is not under way."""
    stopped = session.execute(
        update(RunEmbedding)
        .where(RunEmbedding.run_id == run_id, RunEmbedding.state == "running")
        .values(state="paused", error="", **_LEFT)
        .returning(RunEmbedding.run_id)
    )
    return stopped.scalar() is not None


def save(session: Session, claim: Claim, found: Mapping[int, Sequence[float] | None]) -> None:
    """Raises LeaseLost, and EngineError for vectors of another length than the model gave before."""
    _write(session, claim, error="", lease_expires_at=_until(), deaths=0)
    packed = {variant_id: pack(vector) if vector is not None else None for variant_id, vector in found.items()}
    size = session.execute(
        select(func.octet_length(Embedding.vector))
        .where(Embedding.profile_id == claim.profile_id, Embedding.vector.is_not(None))
        .limit(1)
    ).scalar()
    for vector in packed.values():
        if vector is not None and size is not None and len(vector) != size:
            raise EngineError(
                "wrong_model",
                f"The vectors have {len(vector) // 4:,} numbers, and had {size // 4:,} before.",
                retryable=False,
                remedy="Serve the model that was served before, or embed with one of another name.",
            )
    rows = [
        {"profile_id": claim.profile_id, "variant_id": each, "workspace_id": claim.workspace_id, "vector": vector}
        for each, vector in packed.items()
    ]
    if rows:
        session.execute(insert(Embedding).on_conflict_do_nothing(), rows)


def finish(session: Session, claim: Claim, spreads: list[EmbeddingSpread]) -> None:
    """Raises LeaseLost."""
    figures = SPREADS.dump_python(spreads, mode="json")
    _write(session, claim, state="done", figures=figures, error="", finished_at=func.now(), **_LEFT)
