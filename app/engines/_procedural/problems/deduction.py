"""Deduction: the cost is the logarithm of the number of operations on the way to the output."""

from __future__ import annotations

import math

from app.engines._procedural.problems.made import Arguments, Made, Rejected, Wish
from app.engines._procedural.program import Program
from app.engines._procedural.running import Loaded
from app.engines._procedural.workshop import Workshop, run

SLOPE = 1.2
STAGES = (0, 0, 1, 1, 2, 3)
CANDIDATES = 14
_TRIES = 12
_DISTINCT = 3


def build(program: Program, shop: Workshop, wish: Wish) -> Made:
    """An input whose output is none of the usual ones. Raises Rejected."""
    runs = run(program, shop, _TRIES, wish.size)
    if runs is None or len(runs.calls) < _TRIES * 2 // 3:
        raise Rejected("fails")
    outputs = runs.outputs
    if len(set(outputs)) < _DISTINCT:
        raise Rejected("same outputs")
    usual = max(outputs, key=outputs.count)
    arguments, _ = shop.rng.choice([call for call in runs.calls if repr(call[1]) != usual])
    return Made(runs.source, [arguments], cost=cost(Made(runs.source, [arguments])))


def cost(made: Made, _program: Program | None = None, _shop: Workshop | None = None) -> float:
    return math.log(1 + count_steps(made.source, made.inputs[0]))


def count_steps(source: str, arguments: Arguments) -> float:
    """Operations carried out, each with the size of its value."""
    steps = 0.0

    def see(value: object) -> object:
        nonlocal steps
        steps += 1 + (len(value) / 10 if isinstance(value, str | bytes | list | tuple | dict) else 0)
        return value

    Loaded(source, pure=True, observer=see).call("f", arguments)
    return steps
