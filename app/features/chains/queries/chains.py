"""Runs and their chains: the facts, the filters, and the order in which both lists and the tree show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, select, tuple_

from app.db import Session
from app.domain.difficulty import BROAD, COMPLETE, NARROW
from app.features.chains.filters import ChainFilter
from app.features.chains.schemas import ChainRow, RunFacts
from app.features.runs.queries import broad_bin, measured_by_run, unstarted, usable_variant
from app.models import Chain, Growth, Incident, Measurement, Run, Seed, Variant

_EASIEST_FIRST = [bin_.name for bin_ in BROAD]
BEFORE_ALL_PATHS = ""


def run(session: Session, workspace_id: int, run_id: int) -> RunFacts | None:
    found = session.execute(select(Run).where(Run.id == run_id, Run.workspace_id == workspace_id)).scalar()
    if found is None:
        return None
    config: Any = found.config
    return RunFacts(
        id=found.id,
        name=found.name,
        state=found.state,
        archived=found.archived_at is not None,
        attempts=config["attempts"],
        kept_low=config["kept"]["low"],
        kept_high=config["kept"]["high"],
        environments=config["environments"],
    )


def chain_rows(session: Session, workspace_id: int, ids: Sequence[int]) -> dict[int, ChainRow]:
    """The chains with these ids, each with what its variants came to."""
    stats = _stats(Variant.chain_id.in_(ids))
    asked = select(Growth.id).where(Growth.chain_id == Chain.id, Growth.state == "open").exists()
    rows = session.execute(
        select(Chain, asked, Seed.source, stats.c.variants, stats.c.usable, stats.c.bins, stats.c.narrow)
        .join(Seed, Seed.id == Chain.seed_id)
        .outerjoin(stats, stats.c.chain_id == Chain.id)
        .where(Chain.id.in_(ids), Chain.workspace_id == workspace_id)
    )
    return {
        chain.id: ChainRow(
            id=chain.id,
            run_id=chain.run_id,
            arm=chain.arm,
            position=chain.position,
            environment=chain.environment,
            state=chain.state,
            stop_reason=chain.stop_reason,
            seed_id=chain.seed_id,
            seed_source=source,
            variants=variants or 0,
            usable=usable or 0,
            bins=sorted(filter(None, bins or ()), key=_EASIEST_FIRST.index),
            complete=set(narrow or ()) >= COMPLETE,
            growing=chain.state == "open" or bool(on_request),
        )
        for chain, on_request, source, variants, usable, bins, narrow in rows
    }


def _stats(which: ColumnElement[bool]) -> Subquery:
    """Per chain: how many variants and usable ones, and the bins of either set that the usable ones fill."""
    narrow = case(*((_within(bin_.band.low, bin_.band.high), literal(bin_.name)) for bin_ in NARROW), else_="")
    return (
        select(
            Variant.chain_id,
            func.count().label("variants"),
            func.count().filter(usable_variant()).label("usable"),
            func.array_agg(broad_bin().distinct()).filter(usable_variant()).label("bins"),
            func.array_agg(narrow.distinct()).filter(usable_variant()).label("narrow"),
            func.count(broad_bin().distinct()).filter(usable_variant(), broad_bin() != "").label("bin_count"),
        )
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .where(which)
        .group_by(Variant.chain_id)
        .subquery()
    )


def _within(low: float, high: float) -> ColumnElement[bool]:
    return and_(Measurement.rate >= low, Measurement.rate <= high)


def chain_filter(run_id: int, wanted: ChainFilter) -> list[ColumnElement[bool]]:
    columns = {
        Chain.id: wanted.chain,
        Chain.environment: wanted.environment,
        Chain.arm: wanted.arm,
        Chain.state: wanted.state,
        Chain.stop_reason: wanted.stop,
    }
    found = [Chain.run_id == run_id] + [column == value for column, value in columns.items() if value is not None]
    if wanted.trouble:
        stage, _, kind = wanted.trouble.partition("/")
        met = select(Incident.chain_id).where(Incident.run_id == run_id, Incident.stage == stage, Incident.kind == kind)
        found.append(Chain.id.in_(met))
    # Chains that no room was left for are listed where somebody asks for them: there may be very many.
    return found if wanted.state or wanted.stop else [*found, ~unstarted()]


@dataclass(frozen=True, slots=True)
class At:
    """Where a row stands: its chain, its path there, and the keys that order the chain."""

    chain_id: int
    path: str
    keys: tuple[Any, ...]


class Order:
    """Chains by `sort`, then in the order of the run with the baseline behind; variants in preorder.

    Every key ascends (a descending one is negated), so that one row comparison finds the page after or before a row.
    """

    def __init__(self, run_id: int, sort: str) -> None:
        name, sign = sort.removeprefix("-"), -1 if sort.startswith("-") else 1
        self.stats = None if name == "position" else _stats(Variant.run_id == run_id)
        keys: list[ColumnElement[Any]] = [sign * Chain.position, case((Chain.arm == "main", 0), else_=1)]
        if self.stats is not None:
            usable = func.coalesce(self.stats.c.usable, 0)
            first = [usable] if name == "usable" else [func.coalesce(self.stats.c.bin_count, 0), usable]
            keys = [*(sign * key for key in first), 1 * Chain.position, keys[1]]
        self.keys = keys

    def over(self, statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        if self.stats is None:
            return statement
        return statement.outerjoin(self.stats, self.stats.c.chain_id == Chain.id)

    def at(self, session: Session, key: str) -> At | None:
        """The place of a row: c12 is a chain, v34 a variant."""
        path = literal(BEFORE_ALL_PATHS) if key[0] == "c" else Variant.path
        statement = self.over(select(Chain.id, path, *self.keys).select_from(Chain))
        if key[0] == "c":
            statement = statement.where(Chain.id == int(key[1:]))
        else:
            statement = statement.join(Variant, Variant.chain_id == Chain.id).where(Variant.id == int(key[1:]))
        found = session.execute(statement).first()
        return At(found[0], found[1], tuple(found[2:])) if found else None


def chain_ids(
    session: Session, run_id: int, wanted: ChainFilter, sort: str, after: int | None, limit: int
) -> list[int] | None:
    """A page of chains after the chain `after`; None where there is no such chain."""
    order = Order(run_id, sort)
    statement = order.over(select(Chain.id)).where(*chain_filter(run_id, wanted)).order_by(*order.keys).limit(limit)
    if after is not None:
        start = order.at(session, f"c{after}")
        if start is None:
            return None
        statement = statement.where(tuple_(*order.keys) > tuple_(*map(literal, start.keys)))
    return list(session.execute(statement).scalars())


def chain_count(session: Session, run_id: int, wanted: ChainFilter) -> int:
    return session.execute(select(func.count()).select_from(Chain).where(*chain_filter(run_id, wanted))).scalar_one()


def stop_reasons(session: Session, run_id: int) -> list[str]:
    """Why chains of the run ended, for the choice of a filter."""
    found = select(Chain.stop_reason).where(Chain.run_id == run_id, Chain.stop_reason != "").distinct()
    return sorted(session.execute(found).scalars())


def invalid_codes(session: Session, run_id: int) -> list[str]:
    """The failed checks that occur in the run, the most frequent first."""
    found = (
        select(Variant.invalid_code)
        .where(Variant.run_id == run_id, Variant.invalid_code.is_not(None))
        .group_by(Variant.invalid_code)
        .order_by(func.count().desc(), Variant.invalid_code)
    )
    return [code for code in session.execute(found).scalars() if code]
