"""Ways of making a program shorter: a stage less, a constant for a parameter, one item for a list, another piece."""

from __future__ import annotations

import ast
from collections.abc import Callable

from app.engines._procedural.growing import start
from app.engines._procedural.language import operations as count_operations
from app.engines._procedural.program import RUNNING, Program, Stage, renamed, substituted
from app.engines._procedural.workshop import Workshop

_Change = Callable[[Program, Workshop], bool]


def shrink(program: Program, shop: Workshop) -> Program | None:
    """One change that makes the program shorter; None where the one drawn does not fit."""
    changes: list[_Change] = [_start_simpler]
    if len(program.stages) > 1:
        changes += [_strip] * 3
    if any(stage.when for stage in program.stages):
        changes.append(_always)
    if len(program.kinds) > 1:
        changes.append(_fix_parameter)
    if isinstance(program.stages[0].value, ast.ListComp):
        changes.append(_unmap)
    shrunk = program.copy()
    if not shop.rng.choice(changes)(shrunk, shop):
        return None
    shrunk.prune()
    return shrunk if shrunk.kinds else None


def _strip(program: Program, shop: Workshop) -> bool:
    """Leaves one stage out; what comes after works on the value before."""
    place = shop.rng.randrange(len(program.stages))
    removed = program.stages.pop(place)
    if place == 0:
        # The next stage works on an argument instead.
        first = program.stages[0]
        names = [name for name in program.kinds if any(_reads(e, name) for e in removed.expressions())]
        if first.when or not names:
            return False
        first.value = renamed(first.value, RUNNING, shop.rng.choice(names))
    return True


def _reads(expression: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(expression))


def _always(program: Program, shop: Workshop) -> bool:
    stage = shop.rng.choice([stage for stage in program.stages if stage.when])
    stage.when = None
    return True


def _fix_parameter(program: Program, shop: Workshop) -> bool:
    """A constant takes the place of a parameter."""
    name = shop.rng.choice(list(program.kinds))
    kind = program.kinds.pop(name)
    if kind not in ("int", "str", "bool"):
        return False
    constant = ast.parse(repr(shop.samples.draw(kind, shop.rng, 3)), mode="eval").body
    for stage in program.stages:
        stage.value = substituted(stage.value, name, constant)
        stage.when = substituted(stage.when, name, constant) if stage.when else None
    return True


def _unmap(program: Program, _: Workshop) -> bool:
    """One item for a list of items."""
    match program.stages[0].value:
        case ast.ListComp(
            elt=value, generators=[ast.comprehension(target=ast.Name(id=item), iter=ast.Name(id=items), ifs=[])]
        ) if items in program.kinds and item not in program.kinds:
            kind = {"ints": "int", "strs": "str"}.get(program.kinds[items])
            if kind is None:
                return False
            program.stages = [Stage("result", value)]
            rest = {name: its for name, its in program.kinds.items() if name != items}
            program.kinds = {item: kind, **rest}
            return True
    return False


def _start_simpler(program: Program, shop: Workshop) -> bool:
    """One of the simplest pieces of the seed in place of everything."""
    simplest = sorted(shop.pieces, key=lambda piece: (count_operations(piece.tree), piece.source))[:4]
    if not simplest:
        return False
    other = start(shop.rng.choice(simplest), shop)
    if other is None:
        return False
    program.kinds, program.stages, program.helpers = other.kinds, other.stages, other.helpers
    return True
