"""The tree grid, a page at a time, and the filter that it shares with the list of variants."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, and_, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from app.db import Session
from app.features.chains.filters import TreeQuery, VariantFilter
from app.features.chains.queries.chains import BEFORE_ALL_PATHS, At, Order, chain_filter
from app.features.runs.queries import broad_bin, measured_by_run, usable_variant
from app.models import Chain, Measurement, Run, Seed, Variant

_REPEATS = {
    "duplicate": Variant.duplicate_of.is_not(None),
    "similar": and_(Variant.near_of.is_not(None), Variant.duplicate_of.is_(None)),
    "known": Variant.known_of.is_not(None),
    "benchmark": Variant.contaminated.is_(True),
}


def matching(run_id: int, wanted: VariantFilter) -> Select[int, int, str]:
    """The variants that the filter lets through, with their chain and path."""
    statement = (
        select(Variant.id, Variant.chain_id, Variant.path)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .where(*chain_filter(run_id, wanted), Variant.run_id == run_id)
    )
    if wanted.bin:
        statement = statement.where(broad_bin() == wanted.bin, Variant.invalid_code.is_(None))
    if wanted.invalid == "none":
        statement = statement.where(Variant.problem.is_not(None))
    elif wanted.invalid == "any":
        statement = statement.where(Variant.invalid_code.is_not(None))
    elif wanted.invalid:
        statement = statement.where(Variant.invalid_code == wanted.invalid)
    if wanted.turn:
        statement = statement.where(Variant.turn == wanted.turn)
    if wanted.rate_min is not None:
        statement = statement.where(Measurement.rate >= wanted.rate_min)
    if wanted.rate_max is not None:
        below = (
            Measurement.rate <= wanted.rate_max
            if wanted.rate_min == wanted.rate_max
            else Measurement.rate < wanted.rate_max
        )
        statement = statement.where(below)
    if wanted.review:
        statement = statement.where(Variant.review == ("" if wanted.review == "waiting" else wanted.review))
    if wanted.usable is not None:
        statement = statement.where(func.coalesce(usable_variant(), False).is_(wanted.usable))
    if wanted.repeats:
        statement = statement.where(_REPEATS[wanted.repeats])
    if wanted.asked is not None:
        statement = statement.where(Variant.growth_id.is_not(None).is_(wanted.asked))
    if wanted.q:
        statement = statement.join(Seed, Seed.id == Chain.seed_id).where(
            or_(
                Variant.reply.icontains(wanted.q, autoescape=True),
                Seed.source.icontains(wanted.q, autoescape=True),
            )
        )
    return statement


def variant_count(session: Session, run_id: int, wanted: VariantFilter) -> int:
    if not wanted.active:
        return session.execute(select(func.count()).where(Variant.run_id == run_id)).scalar_one()
    return session.execute(select(func.count()).select_from(matching(run_id, wanted).subquery())).scalar_one()


def tree_page(
    session: Session, run_id: int, wanted: TreeQuery, limit: int, start: str = "", *, backwards: bool = False
) -> list[tuple[int, int | None]] | None:
    """Up to `limit` lines after the row `start` (before it: `backwards`), in the order of the grid.

    A line is (chain, variant), or (chain, None) for a chain that shows none. A `start` that is a chain leads the page
    where it shows variants. None where `start` is gone.
    """
    order = Order(run_id, wanted.sort)
    at = order.at(session, start) if start else None
    if start and at is None:
        return None
    chains = _chains_from(session, run_id, wanted, order, at, limit + 1, backwards=backwards)
    shown = matching(run_id, wanted).subquery("shown")
    path = func.coalesce(shown.c.path, BEFORE_ALL_PATHS).collate("C")
    statement = (
        select(Chain.id, shown.c.id)
        .outerjoin(shown, and_(shown.c.chain_id == Chain.id, *_unfolded(wanted, shown)))
        .where(Chain.id.in_(chains))
        .order_by(func.array_position(array(chains, type_=BigInteger), Chain.id), path.desc() if backwards else path)
        .limit(limit)
    )
    if at is not None:
        statement = statement.where(or_(Chain.id != at.chain_id, path < at.path if backwards else path > at.path))
    lines = [(chain_id, variant_id) for chain_id, variant_id in session.execute(statement)]
    return lines[::-1] if backwards else lines


def _chains_from(
    session: Session, run_id: int, wanted: TreeQuery, order: Order, at: At | None, limit: int, *, backwards: bool
) -> list[int]:
    """Chains from the one of `at` on, itself included. Each has a line at least, so that no page needs to sort more."""
    statement = order.over(select(Chain.id)).where(*chain_filter(run_id, wanted))
    if wanted.picks_variants:
        statement = statement.where(Chain.id.in_(select(matching(run_id, wanted).subquery().c.chain_id)))
    if at is not None:
        keys, place = tuple_(*order.keys), tuple_(*map(literal, at.keys))
        statement = statement.where(keys <= place if backwards else keys >= place)
    statement = statement.order_by(*(key.desc() if backwards else key for key in order.keys)).limit(limit)
    return list(session.execute(statement).scalars())


def _unfolded(wanted: TreeQuery, shown: Subquery) -> list[ColumnElement[bool]]:
    """The variants whose chain and ancestors are all open."""
    chains, variants = wanted.flipped_ids("c"), wanted.flipped_ids("v")
    where: list[ColumnElement[bool]] = (
        [Chain.id.in_(chains) if wanted.fold else Chain.id.not_in(chains)] if wanted.fold or chains else []
    )
    if variants:
        closed = aliased(Variant)
        above = select(closed.id).where(
            closed.id.in_(variants),
            closed.chain_id == shown.c.chain_id,
            func.starts_with(shown.c.path, closed.path + "/"),
        )
        where.append(~above.exists())
    return where


def chain_of_shown(session: Session, run_id: int, wanted: TreeQuery, variant_id: int) -> int | None:
    """The chain of a variant, where the filter lets the variant through."""
    shown = matching(run_id, wanted).subquery()
    return session.execute(select(shown.c.chain_id).where(shown.c.id == variant_id)).scalar()
