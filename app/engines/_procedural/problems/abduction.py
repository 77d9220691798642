"""Abduction: the cost is how rare the output is among drawn inputs, and how much of it there is to meet."""

from __future__ import annotations

import math
import re

from app.engines._procedural.chance import seeded
from app.engines._procedural.problems.made import Made, Rejected, Wish
from app.engines._procedural.program import Program
from app.engines._procedural.workshop import Runs, Workshop, run

SLOPE = 0.8
STAGES = (0, 0, 1, 1, 2, 3)
CANDIDATES = 9
_TRIES = 160
_CHOICES = 25


def build(program: Program, shop: Workshop, wish: Wish) -> Made:
    """The input whose output comes nearest to the wished cost. Raises Rejected."""
    runs = run(program, shop, _TRIES, wish.size)
    if runs is None or len(runs.calls) < _TRIES // 4:
        raise Rejected("fails")
    outputs = runs.outputs
    if len(set(outputs)) < 2:
        raise Rejected("same outputs")
    choices = shop.rng.sample(range(len(outputs)), min(_CHOICES, len(outputs)))
    costs = [_cost(outputs[choice], outputs) for choice in choices]
    best = wish.nearest(costs, shop.rng)
    return Made(runs.source, [runs.calls[choices[best]][0]], cost=costs[best])


def cost(made: Made, program: Program | None, shop: Workshop) -> float:
    runs: Runs | None = run(program, shop, _TRIES, 6, seeded(made.source)) if program else None
    if runs is None:
        return math.log(_TRIES)
    result = runs.loaded.call("f", made.inputs[0])
    return _cost(repr(result.value), [*runs.outputs, repr(result.value)])


def _cost(output: str, outputs: list[str]) -> float:
    rarity = -math.log((outputs.count(output) - 0.7) / len(outputs))
    return rarity + 0.04 * len(re.findall(r"\w+", output))
