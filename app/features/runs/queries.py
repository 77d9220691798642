"""A run and what it is started from; and what its variants count as. The selects of a screen stand beside its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Select, and_, case, delete, func, literal, not_, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from app.db import Session
from app.domain.actor import Actor
from app.domain.difficulty import BROAD, Band
from app.features.runs.arms import ASKED
from app.features.runs.finish import in_order
from app.models import (
    Chain,
    Event,
    Growth,
    LaneSlot,
    Measurement,
    ModelProfile,
    Run,
    Seed,
    SeedSet,
    Variant,
)

# --- one run -----------------------------------------------------------------------------------------------------


def run(session: Session, workspace_id: int, run_id: int) -> Run | None:
    return session.execute(select(Run).where(Run.id == run_id, Run.workspace_id == workspace_id)).scalar()


def started_just_now(session: Session, actor: Actor, config: Mapping[str, object]) -> Run | None:
    """The newest run of this config, no preview, that the actor started within the last minute."""
    return session.execute(
        select(Run)
        .where(
            Run.workspace_id == actor.workspace_id,
            Run.created_by == actor.user_id,
            Run.config == config,
            Run.previews.is_(None),
            Run.state != "cancelled",
            Run.created_at > func.now() - timedelta(minutes=1),
        )
        .order_by(Run.id.desc())
        .limit(1)
    ).scalar()


def run_to_drive(session: Session, run_id: int) -> Run:
    return session.execute(select(Run).where(Run.id == run_id)).scalar_one()


def run_state(session: Session, run_id: int) -> str | None:
    return session.execute(select(Run.state).where(Run.id == run_id)).scalar()


def profile(session: Session, profile_id: int) -> ModelProfile:
    return session.execute(select(ModelProfile).where(ModelProfile.id == profile_id)).scalar_one()


def slot_count(session: Session, run_id: int) -> int:
    return session.execute(select(func.count()).where(LaneSlot.run_id == run_id)).scalar_one()


# --- starting and ending -----------------------------------------------------------------------------------------


def seed_set_named(session: Session, workspace_id: int, name: str) -> SeedSet | None:
    return session.execute(select(SeedSet).where(SeedSet.workspace_id == workspace_id, SeedSet.name == name)).scalar()


def hold_seed_set(session: Session, workspace_id: int, name: str) -> None:
    """Keeps the set from being deleted before this transaction ends; waits for the end of a deletion under way."""
    session.execute(
        select(SeedSet.id)
        .where(SeedSet.workspace_id == workspace_id, SeedSet.name == name)
        .with_for_update(read=True, key_share=True)
    )


def chosen_seeds(session: Session, seed_set_id: int, skip: int, count: int | None) -> list[int]:
    """Ids in the order of the set."""
    return list(
        session.execute(
            select(Seed.id).where(Seed.seed_set_id == seed_set_id).order_by(Seed.position).offset(skip).limit(count)
        ).scalars()
    )


def first_seeds(session: Session, seed_set_id: int, skip: int, limit: int) -> list[Seed]:
    return list(
        session.execute(
            select(Seed).where(Seed.seed_set_id == seed_set_id).order_by(Seed.position).offset(skip).limit(limit)
        ).scalars()
    )


def insert_chains(
    session: Session, run: Run, seeds: Sequence[int], environments: Sequence[str], arms: Sequence[str]
) -> None:
    """One chain per seed, environment and arm; seeds take turns through the environments."""
    rows = [
        {
            "workspace_id": run.workspace_id,
            "run_id": run.id,
            "arm": arm,
            "position": position,
            "seed_id": seed_id,
            "environment": environment,
        }
        for arm in arms
        for position, (seed_id, environment) in enumerate(
            ((seed_id, environment) for seed_id in seeds for environment in environments), 1
        )
    ]
    session.execute(insert(Chain), rows)


def profile_id(
    session: Session, workspace_id: int, role: str, engine: str, model: str, spec: dict[str, object], digest: str
) -> int:
    session.execute(
        insert(ModelProfile)
        .values(workspace_id=workspace_id, role=role, engine=engine, model=model, spec=spec, digest=digest)
        .on_conflict_do_nothing(index_elements=["workspace_id", "role", "digest"])
    )
    return session.execute(_profile(workspace_id, role, digest)).scalar_one()


def known_profile(session: Session, workspace_id: int, role: str, digest: str) -> int | None:
    return session.execute(_profile(workspace_id, role, digest)).scalar()


def _profile(workspace_id: int, role: str, digest: str) -> Select[int]:
    return select(ModelProfile.id).where(
        ModelProfile.workspace_id == workspace_id, ModelProfile.role == role, ModelProfile.digest == digest
    )


def cancel_open(session: Session, run_id: int) -> None:
    """Chains, and branches that were asked for, end where they are; whoever drives them is fenced off."""
    ended = {"state": "cancelled", "stop_reason": "run_cancelled", "owner": None, "lease_expires_at": None}
    for leased in (Chain, Growth):
        session.execute(
            update(leased)
            .where(in_order(leased, leased.run_id == run_id, leased.state == "open"))
            .values(**ended, epoch=leased.epoch + 1)
        )


def stamp_end(session: Session, run_id: int) -> None:
    """When its own chains ended; what it did for people afterwards does not count."""
    session.execute(update(Run).where(Run.id == run_id).values(finished_at=func.coalesce(Run.finished_at, func.now())))


def stamp_archived(session: Session, run_id: int, archived: bool) -> None:
    session.execute(update(Run).where(Run.id == run_id).values(archived_at=func.now() if archived else null()))


# --- what a run has grown ----------------------------------------------------------------------------------------


def measured_by_run() -> ColumnElement[bool]:
    """Joins the measurement by the run's own student (others may have measured the variant again since)."""
    return and_(Measurement.variant_id == Variant.id, Measurement.student_profile_id == Run.student_profile_id)


def arm_of_variant() -> ColumnElement[str]:
    """The arm whose yield a variant counts for; `asked` for one that was grown on request."""
    return case((Variant.growth_id.is_not(None), literal(ASKED)), else_=Chain.arm)


def kept_rate(run_id: int | None = None) -> ColumnElement[bool]:
    """Whether the pass rate lies in the band that the run keeps.

    With `run_id` all rows are of one run, and its band is looked up once and not for every row.
    """
    low, high = (Run.config["kept"][end].as_float() for end in ("low", "high"))
    if run_id is not None:
        one = aliased(Run)
        low, high = (
            select(one.config["kept"][end].as_float()).where(one.id == run_id).scalar_subquery()
            for end in ("low", "high")
        )
    return and_(Measurement.rate >= low, Measurement.rate <= high)


def similar_variant(run_id: int | None = None) -> ColumnElement[bool]:
    """Whether its program is nearly that of another tree; of older runs' trees too where the run's settings say so.

    `run_id` as for kept_rate.
    """
    compared: ColumnElement[str] = Run.config["compared_with"].as_string()
    if run_id is not None:
        one = aliased(Run)
        compared = select(one.config["compared_with"].as_string()).where(one.id == run_id).scalar_subquery()
    beyond = func.coalesce(compared, "run") == "workspace"
    return or_(Variant.near_of.is_not(None), and_(beyond, Variant.known_of.is_not(None)))


def unique_variant(run_id: int | None = None) -> ColumnElement[bool]:
    """Neither the copy of an earlier variant nor nearly one. `run_id` as for kept_rate."""
    return and_(Variant.duplicate_of.is_(None), not_(similar_variant(run_id)))


def usable_variant(run_id: int | None = None) -> ColumnElement[bool]:
    """Valid, measured within the kept band, unique, and in no benchmark: what counts for the yield.

    `run_id` as for kept_rate.
    """
    return and_(Variant.invalid_code.is_(None), unique_variant(run_id), not_(Variant.contaminated), kept_rate(run_id))


def broad_bin() -> ColumnElement[str]:
    """The broad bin of the measured pass rate, '' outside all; on a shared edge the easier one."""
    return case(*((_within(bin_.band), literal(bin_.name)) for bin_ in BROAD), else_=literal(""))


def _within(band: Band) -> ColumnElement[bool]:
    return and_(Measurement.rate >= band.low, Measurement.rate <= band.high)


def unstarted() -> ColumnElement[bool]:
    """A chain that the run's goals or caps ended before anybody drove it: it counts nowhere."""
    return and_(Chain.state == "stopped", Chain.epoch == 0)


# --- old events ----------------------------------------------------------------------------------------------------


def forget_old_events(session: Session, keep: int = 100_000) -> None:
    """Live pages need only the newest events; the rest is in the tables that they announced."""
    newest = session.execute(select(func.max(Event.id))).scalar() or 0
    session.execute(delete(Event).where(Event.id < newest - keep))
