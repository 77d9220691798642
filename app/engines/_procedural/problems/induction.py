"""Induction: the cost is how many operations there are to find out, less for those that the message tells."""

from __future__ import annotations

import ast
import math

from app.engines._procedural import messages
from app.engines._procedural.problems.made import Arguments, Made, Rejected, Wish
from app.engines._procedural.program import Program
from app.engines._procedural.workshop import Workshop, run

SLOPE = 1.7  # log odds of the pass rate per unit of cost, roughly
_TRIES = 24
_FEWEST = 8  # runs that must have ended well
# A branch, loop or comprehension hides more than an operation does; a constant a little.
_WEIGHTS: dict[type[ast.AST], float] = {
    ast.If: 2.5,
    ast.IfExp: 2.5,
    ast.comprehension: 1.5,
    ast.For: 4.0,
    ast.While: 4.0,
    ast.BinOp: 1.0,
    ast.BoolOp: 1.0,
    ast.UnaryOp: 1.0,
    ast.Compare: 1.0,
    ast.Call: 1.0,
    ast.Subscript: 1.0,
    ast.JoinedStr: 1.0,
}
_CONSTANT = 0.4
_OBVIOUS = (0, 1, "", None, True, False)


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
    share = shop.rng.choice([0.0, 0.4, 0.7, 1.0, 1.0])
    told = set(shop.rng.sample(range(len(steps)), round(share * len(steps))))
    message = messages.write(program, steps, told, messages.about(program, shop.pieces))
    made = Made(runs.source, [arguments for arguments, _ in inputs], message)
    return made._replace(cost=cost(made, program))


def cost(made: Made, program: Program | None, _shop: Workshop | None = None) -> float:
    if program is None:
        return effort(made.source)
    told = messages.share_told(made.message, messages.tell(program))
    return effort(made.source) * (1.2 - 0.5 * told) + 0.1 * len(program.kinds)


def effort(source: str) -> float:
    """How much there is to find out about a program."""
    weight = 1.0
    for node in ast.walk(ast.parse(source)):
        weight += _WEIGHTS.get(type(node), 0.0)
        if isinstance(node, ast.Constant) and node.value not in _OBVIOUS:
            weight += _CONSTANT
    return math.log(weight)


def _diverse(calls: list[tuple[Arguments, object]], count: int) -> list[tuple[Arguments, object]]:
    """Distinct inputs, those with a new output first."""
    distinct = list({repr(arguments): (arguments, value) for arguments, value in calls}.values())
    new: dict[str, tuple[Arguments, object]] = {}
    for call in distinct:
        new.setdefault(repr(call[1]), call)
    fresh = list(new.values())
    rest = [call for call in distinct if call not in fresh]
    return (fresh + rest)[:count]
