"""Every select of requests to grow, and what changes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from app import registry
from app.db import Session
from app.domain.difficulty import Band
from app.features.growths.schemas import GrowthRow
from app.features.runs.queries import measured_by_run
from app.models import Chain, Growth, Measurement, Run, User, Variant


@dataclass(frozen=True, slots=True)
class Origin:
    """A variant to grow from. `name` says which one of its chain it is, whatever was asked for beside it."""

    id: int
    run_id: int
    chain_id: int
    turn: int
    branch: int
    stage: str
    invalid_code: str | None
    rate: float | None
    aimed_at: Band
    arm: str
    name: tuple[int | str, ...]

    @property
    def place(self) -> str:
        return f"{self.turn}.{self.branch}"


def origin(session: Session, workspace_id: int, variant_id: int) -> Origin | None:
    before = aliased(Variant)
    found = session.execute(
        select(Variant, Measurement.rate, Chain.arm, Growth, before.turn)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .outerjoin(Growth, Growth.id == Variant.growth_id)
        .outerjoin(before, before.id == Growth.variant_id)
        .where(Variant.id == variant_id, Variant.workspace_id == workspace_id)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return None
    variant, rate, arm, grown_on, asked_at_turn = found
    name: tuple[int | str, ...] = (variant.turn, variant.branch)
    if grown_on is not None:
        name = (grown_on.digest, variant.turn - asked_at_turn, variant.branch - grown_on.first_branch)
    return Origin(
        id=variant.id,
        run_id=variant.run_id,
        chain_id=variant.chain_id,
        turn=variant.turn,
        branch=variant.branch,
        stage=variant.stage,
        invalid_code=variant.invalid_code,
        rate=rate,
        aimed_at=Band(variant.target_low, variant.target_high),
        arm=arm,
        name=name,
    )


def equal_requests(
    session: Session, variant_id: int, direction: str, instruction: str, children: int, turns: int
) -> list[tuple[int, int | None, str]]:
    """(id, who asked, state) of every request for the same from this variant, oldest first."""
    rows = session.execute(
        select(Growth.id, Growth.asked_by, Growth.state)
        .where(
            Growth.variant_id == variant_id,
            Growth.direction == direction,
            Growth.instruction == instruction,
            Growth.children == children,
            Growth.turns == turns,
        )
        .order_by(Growth.id)
    )
    return [(growth_id, asked_by, state) for growth_id, asked_by, state in rows]


def last_branch(session: Session, chain_id: int) -> int:
    """The highest branch that requests have taken in a chain, 0 before the first one."""
    taken = select(func.max(Growth.first_branch + Growth.children - 1)).where(Growth.chain_id == chain_id)
    return session.execute(taken).scalar() or 0


def open_requests(session: Session, chain_id: int) -> int:
    """How many are not over in a tree."""
    return session.execute(select(func.count()).where(Growth.chain_id == chain_id, Growth.state == "open")).scalar_one()


def cancel(session: Session, growth_id: int) -> bool:
    """Whether it was open: whoever drives it is fenced off."""
    ended = session.execute(
        update(Growth)
        .where(Growth.id == growth_id, Growth.state == "open")
        .values(state="cancelled", stop_reason="cancelled", epoch=Growth.epoch + 1, owner=None, lease_expires_at=None)
        .returning(Growth.id)
    ).scalar()
    return ended is not None


def growth(session: Session, workspace_id: int, growth_id: int) -> GrowthRow | None:
    return next(iter(_rows(session, Growth.id == growth_id, Growth.workspace_id == workspace_id)), None)


def of_chain(session: Session, workspace_id: int, chain_id: int) -> list[GrowthRow]:
    """Every request in a tree, oldest first."""
    return _rows(session, Growth.chain_id == chain_id, Growth.workspace_id == workspace_id)


def of_variant(session: Session, workspace_id: int, variant_id: int) -> list[GrowthRow]:
    return _rows(session, Growth.variant_id == variant_id, Growth.workspace_id == workspace_id)


def _rows(session: Session, *which: ColumnElement[bool]) -> list[GrowthRow]:
    child = aliased(Variant)
    grown = (
        select(func.array_agg(aggregate_order_by(child.id, child.path)))
        .where(child.growth_id == Growth.id)
        .correlate(Growth)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Growth, Variant.turn, Variant.branch, User.name, Run.config["teacher"]["engine"].as_string(), grown)
        .join(Variant, Variant.id == Growth.variant_id)
        .join(Run, Run.id == Growth.run_id)
        .outerjoin(User, User.id == Growth.asked_by)
        .where(*which)
        .order_by(Growth.id)
    )
    return [_row(*row) for row in rows]


def _row(
    growth: Growth, turn: int, branch: int, name: str | None, engine: str | None, variants: Sequence[Any] | None
) -> GrowthRow:
    return GrowthRow(
        id=growth.id,
        run_id=growth.run_id,
        chain_id=growth.chain_id,
        variant_id=growth.variant_id,
        place=f"{turn}.{branch}",
        direction=growth.direction,
        instruction=growth.instruction,
        children=growth.children,
        turns=growth.turns,
        target=Band(growth.target_low, growth.target_high),
        state=growth.state,
        stop_reason=growth.stop_reason,
        turns_done=growth.next_turn - 1 - turn,
        asked_by=name or "",
        asked_at=growth.asked_at,
        follows_text=follows_text(engine or "procedural"),
        variants=tuple(variants or ()),
    )


def follows_text(engine: str) -> bool:
    """Whether the teachers of an engine read instructions; one that is not installed here is taken to."""
    known = registry.engines().get(engine)
    return known is None or known.follows_text
