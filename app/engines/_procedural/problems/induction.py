"""Induction: the cost is how many operations there are to find out, less for those that the message tells."""

from __future__ import annotations

import ast
import math

from app.engines._procedural import messages
from app.engines._procedural.kinds import kind_of
from app.engines._procedural.language import operations
from app.engines._procedural.problems.made import Arguments, Made, Rejected, Wish
from app.engines._procedural.program import Program
from app.engines._procedural.running import load_pure
from app.engines._procedural.workshop import Workshop, run

SLOPE = 2.0
STAGES = (0, 0, 0, 1, 1, 2)
CANDIDATES = 12
_TRIES = 24
_FEWEST = 8  # runs that must have ended well
# What makes a function hard to find out, beside its operations: log odds of the pass rate, roughly, over SLOPE.
_PARAMETER, _MIXED, _SEQUENCE, _BOOLEAN = 0.15, 0.75, 0.28, -0.65
_SHARES = (0.0, 0.5, 1.0, 1.0, 1.0)  # of the steps that a message may tell


def build(program: Program, shop: Workshop, wish: Wish) -> Made:
    """Inputs with diverse outputs and a message that tells as much as the wish asks for. Raises Rejected."""
    runs = run(program, shop, _TRIES, wish.size)
    needed = wish.number("inputs", 6)
    if runs is None or len(runs.calls) < max(_FEWEST, needed):
        raise Rejected("fails")
    inputs = _diverse(runs.calls, needed)
    visible = [repr(value) for _, value in inputs[: wish.number("visible_inputs", 4)]]
    if len(inputs) < needed or len(set(visible)) < 2:
        raise Rejected("same outputs")
    steps = messages.tell(program)
    share = shop.rng.choice(_SHARES)
    told = set(shop.rng.sample(range(len(steps)), round(share * len(steps))))
    message = messages.write(program, steps, told, messages.about(program, shop.pieces))
    made = Made(runs.source, [arguments for arguments, _ in inputs], message)
    return made._replace(cost=cost(made, program))


def cost(made: Made, program: Program | None, _shop: Workshop | None = None) -> float:
    loaded = load_pure(made.source)
    if program is None or loaded is None:
        return math.log(1 + 2 * operations(ast.parse(made.source)))
    told, untold = messages.sizes(made.message, messages.tell(program))
    kinds = {kind_of(loaded.call("f", arguments).value) for arguments in made.inputs}
    difficulty = math.log(1 + told + 2 * untold) + _PARAMETER * len(program.kinds)
    if len(kinds) > 1:
        return difficulty + _MIXED
    return difficulty + (_BOOLEAN if kinds == {"bool"} else 0.0 if kinds <= {"int", "str", "float"} else _SEQUENCE)


def _diverse(calls: list[tuple[Arguments, object]], count: int) -> list[tuple[Arguments, object]]:
    """Distinct inputs, those with a new output first."""
    distinct = list({repr(arguments): (arguments, value) for arguments, value in calls}.values())
    new: dict[str, tuple[Arguments, object]] = {}
    for call in distinct:
        new.setdefault(repr(call[1]), call)
    fresh = list(new.values())
    rest = [call for call in distinct if call not in fresh]
    return (fresh + rest)[:count]
