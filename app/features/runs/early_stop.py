"""Chains that go nowhere: a rule on finished variants alone, so that it holds whoever drives the chain, and when."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from app.domain.tree import Node
from app.features.runs.schemas import EarlyStop

INVALID = "nowhere_invalid"
UNSOLVED = "nowhere_unsolved"
SOLVED = "nowhere_solved"
REASONS = (INVALID, UNSOLVED, SOLVED)


def went_nowhere(nodes: Sequence[Node], rule: EarlyStop) -> str | None:
    """The reason to stop after these variants, or None. Turns without a pass rate do not count as movement."""
    grown = sorted(nodes, key=lambda node: node.place)
    if rule.invalid and len(grown) >= rule.invalid and all(node.invalid for node in grown[-rule.invalid :]):
        return INVALID
    if rule.unmoved:
        ends = _ends(grown)[-rule.unmoved :]
        if ends == [0.0] * rule.unmoved:
            return UNSOLVED
        if ends == [1.0] * rule.unmoved:
            return SOLVED
    return None


def _ends(grown: Sequence[Node]) -> list[float | None]:
    """For each turn with a pass rate: 0 or 1 where all its branches lie there, None where one lies between."""
    ends: list[float | None] = []
    for _, turn in groupby(grown, key=lambda node: node.place.turn):
        rates = {node.rate for node in turn if node.measured}
        if rates:
            ends.append(rates.pop() if rates in ({0.0}, {1.0}) else None)
    return ends
