"""The arms of a run: its own strategy, and the baseline that spends the same number of proposals one by one."""

from __future__ import annotations

from app import registry
from app.domain.ports import Plan, Strategy
from app.features.runs.schemas import EarlyStop, RunConfig

ARMS = ("main", "baseline")
# What people asked for is counted apart: it is neither the strategy's doing nor part of the budget that both arms have.
ASKED = "asked"


def strategy_of(config: RunConfig, arm: str) -> Strategy:
    return registry.strategy(config.strategy if arm == "main" else "single_turn")


def strategy_onwards(config: RunConfig) -> Strategy:
    """By what a branch goes on from a variant: the run's strategy, or the usual one where that only knows the seed."""
    own = registry.strategy(config.strategy)
    return own if own.remembers else registry.strategy(str(RunConfig.model_fields["strategy"].default))


def plan_of(config: RunConfig, arm: str) -> Plan:
    """What each chain of an arm may spend: `turns * branching` proposals, in the baseline a turn for each."""
    if arm == "main":
        return Plan(config.turns, config.branching, config.target.band)
    return Plan(config.turns * config.branching, 1, config.target.band)


def early_stop_of(config: RunConfig, arm: str) -> EarlyStop:
    """When chains of an arm stop early. The baseline's never do: each of its proposals is a beginning of its own."""
    return config.early_stop if arm == "main" else EarlyStop()
