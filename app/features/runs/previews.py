"""A preview: the same run on its first seeds, and what the whole run would take by it.

A preview's chains are those that the whole run grows from these seeds: the same configuration, the same random seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, func, select

from app.db import Session
from app.domain.difficulty import BROAD
from app.features.runs.ends import caps_of
from app.features.runs.estimate import Range, over, ratio
from app.features.runs.prices import Prices
from app.features.runs.queries import broad_bin, measured_by_run, usable_variant
from app.features.runs.schemas import Goal, RunConfig
from app.features.runs.size import size_of
from app.features.runs.spending import money_for_tokens, spending
from app.features.runs.statements import SPENT
from app.models import Chain, Measurement, Run, Variant

SEEDS = 5
# With fewer there is no telling how much they differ.
_FEWEST = 2
_BINS = [bin_.name for bin_ in BROAD]


@dataclass(frozen=True, slots=True)
class Estimate:
    """`measured` seeds, grown to their end, stand behind it; `seeds` are those that each environment would take.

    Hours go by teacher calls at the preview's pace: a larger run keeps more lanes and servers busy, and is rather
    quicker. Of usable variants it will have rather fewer, since problems repeat between seeds. `caps_met` are the caps
    below the estimate, at which the run would stop.
    """

    measured: int
    seeds: dict[str, int]
    calls: Range
    attempts: Range
    tokens: Range
    hours: Range
    money: Range | None
    currency: str
    usable: Range
    usable_per_call: Range | None
    caps_met: tuple[str, ...]


@dataclass(slots=True)
class _Part:
    """What one seed took in one environment, and what came of it in the run's own arm."""

    spent: Sequence[int]  # in the order of statements.SPENT
    calls: int = 0
    own_calls: int = 0
    usable: int = 0
    bins: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(_BINS, 0))


_Seeds = Sequence[Mapping[str, _Part]]  # one entry per seed: its parts by environment


def preview_of(config: RunConfig, seeds: int) -> RunConfig:
    """Caps hold for it as well; a goal is for the whole run."""
    first = config.seeds.model_copy(update={"count": min(SEEDS, seeds)})
    return config.model_copy(update={"seeds": first, "until": None})


def estimate(session: Session, run: Run) -> Estimate | None:
    """None for a run that is no preview, and for one with less than two seeds grown to their end."""
    if run.previews is None:
        return None
    whole, grown = RunConfig.model_validate(run.previews), _grown(session, run)
    if len(grown) < _FEWEST:
        return None
    available = size_of(session, run.workspace_id, whole).seeds
    seeds = {name: _wanted(whole.until, [own[name] for own in grown], available) for name in whole.environments}

    def total(figure: Callable[[_Part], float]) -> Range:
        return over([sum(seeds[name] * figure(part) for name, part in own.items()) for own in grown])

    prices = Prices.model_validate(run.prices)
    calls, attempts = total(lambda part: part.calls), total(lambda part: part.spent[4])
    tokens = total(lambda part: sum(part.spent[:4]))
    hours = calls.times(_hours_per_call(session, run))
    money = None
    if prices.teacher and prices.student:
        by_hour = hours.times(prices.teacher.hour + prices.student.hour)
        money = total(lambda part: money_for_tokens(prices, part.spent[:4])).plus(by_hour)
    rate = ratio([_yield(own.values()) for own in grown])
    by_cap = {"tokens": tokens, "attempts": attempts, "hours": hours, "money": money}
    return Estimate(
        measured=len(grown),
        seeds=seeds,
        calls=calls,
        attempts=attempts,
        tokens=tokens,
        hours=hours,
        money=money,
        currency=prices.currency,
        usable=total(lambda part: part.usable).at_most(total(lambda part: part.own_calls).high),
        usable_per_call=None if rate is None else rate.at_most(1.0),
        caps_met=tuple(name for name, cap in caps_of(whole.caps).items() if _exceeds(by_cap[name], cap)),
    )


def _yield(parts: Iterable[_Part]) -> tuple[float, float]:
    found = list(parts)
    return sum(part.usable for part in found), sum(part.own_calls for part in found)


def _exceeds(range_: Range | None, cap: float) -> bool:
    return range_ is not None and range_.mean >= cap


def _wanted(goal: Goal | None, parts: Sequence[_Part], available: int) -> int:
    """Seeds until the goal is met, at the mean yield of these; all of them where a bin got nothing."""
    if goal is None:
        return available
    rarest = min(sum(part.bins[name] for part in parts) for name in goal.bins) / len(parts)
    return min(available, math.ceil(goal.usable / rarest)) if rarest else available


def _hours_per_call(session: Session, run: Run) -> float:
    calls = session.execute(select(func.count()).select_from(Variant).where(Variant.run_id == run.id)).scalar_one()
    return spending(session, run).hours / max(calls, 1)


def _grown(session: Session, run: Run) -> _Seeds:
    """The seeds all of whose chains have come to their end, with what they took; two queries."""
    found: dict[int, dict[str, _Part]] = {}
    unfinished: set[int] = set()
    for seed, environment, ended, *spent in session.execute(
        select(
            Chain.seed_id,
            Chain.environment,
            func.bool_and(Chain.state == "finished"),
            *(func.sum(getattr(Chain, name)) for name in SPENT),
        )
        .where(Chain.run_id == run.id)
        .group_by(Chain.seed_id, Chain.environment)
    ):
        found.setdefault(seed, {})[environment] = _Part([int(amount) for amount in spent])
        if not ended:
            unfinished.add(seed)
    own, usable = Chain.arm == "main", and_(Chain.arm == "main", usable_variant(run.id))
    for seed, environment, calls, own_calls, count, *bins in session.execute(
        select(
            Chain.seed_id,
            Chain.environment,
            func.count(),
            func.count().filter(own),
            func.count().filter(usable),
            *(func.count().filter(usable, broad_bin() == name) for name in _BINS),
        )
        .select_from(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .join(Run, Run.id == Variant.run_id)
        .outerjoin(Measurement, measured_by_run())
        .where(Variant.run_id == run.id, Variant.growth_id.is_(None))
        .group_by(Chain.seed_id, Chain.environment)
    ):
        part = found[seed][environment]
        part.calls, part.own_calls, part.usable = calls, own_calls, count
        part.bins = dict(zip(_BINS, bins, strict=True))
    return [parts for seed, parts in sorted(found.items()) if seed not in unfinished]
