"""What a run would ask of its models, before it is started; and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass

from app.db import Session
from app.errors import InvalidInput
from app.features.runs import queries
from app.features.runs.schemas import EarlyStop, RunConfig
from app.models import SeedSet

MAX_CHAINS = 200_000


@dataclass(frozen=True, slots=True)
class RunSize:
    """`attempts` is an upper bound: a proposal that turns out invalid is never tried.

    All figures are, where goals, caps or early stops may end the run or its chains sooner.
    """

    seed_set: SeedSet
    seeds: int
    arms: tuple[str, ...]
    chains: int
    calls: int
    attempts: int
    may_end_sooner: bool


def size_of(session: Session, workspace_id: int, config: RunConfig) -> RunSize:
    """Raises InvalidInput where the seed set is unknown or too small, or the run would be too large."""
    seed_set = queries.seed_set_named(session, workspace_id, config.seeds.set)
    if seed_set is None:
        raise InvalidInput(
            f"There is no seed set named {config.seeds.set!r}.",
            field="seeds.set",
            remedy="Import seeds first, or choose a set that exists.",
        )
    left = max(0, seed_set.seed_count - config.seeds.skip)
    if not left:
        raise InvalidInput(
            f"The set {seed_set.name!r} has {seed_set.seed_count:,} seeds, and none after the first "
            f"{config.seeds.skip:,}.",
            field="seeds.skip" if seed_set.seed_count else "seeds.set",
            remedy="Pass over fewer, or choose a larger set.",
        )
    seeds = left if config.seeds.count is None else config.seeds.count
    if seeds > left:
        raise InvalidInput(
            f"The set {seed_set.name!r} has {seed_set.seed_count:,} seeds; this asks for {seeds:,} after the first "
            f"{config.seeds.skip:,}.",
            field="seeds.count",
            remedy="Ask for fewer, or leave it empty to use all.",
        )
    # A single-turn run has nothing to be compared with: it is its own baseline.
    arms = ("main", "baseline") if config.baseline and config.strategy != "single_turn" else ("main",)
    chains = seeds * len(config.environments) * len(arms)
    if chains > MAX_CHAINS:
        raise InvalidInput(
            f"This run would have {chains:,} chains; {MAX_CHAINS:,} is the most.",
            field="seeds.count",
            remedy="Use fewer seeds, or split it into several runs with `skip`.",
        )
    calls = chains * config.turns * config.branching
    sooner = config.limited or config.early_stop != EarlyStop()
    return RunSize(seed_set, seeds, arms, chains, calls, calls * config.attempts, sooner)
