"""Ways of making a program longer: another stage, another piece of the seed, a condition, a loop, a freer constant."""

from __future__ import annotations

import ast
import math

from app.engines._procedural.helpers import HELPERS
from app.engines._procedural.kinds import NOUN, kind_of
from app.engines._procedural.language import operations as count_operations
from app.engines._procedural.naming import plural, unused
from app.engines._procedural.operations import Operation, operations
from app.engines._procedural.pieces import Piece
from app.engines._procedural.program import RUNNING, Program, Stage, call, names_in, read, renamed
from app.engines._procedural.running import load_pure
from app.engines._procedural.workshop import Runs, Workshop, definitions, outcome_kind, run

_MOST_PARAMETERS = 4
_MOST_STAGES = 9


def start(piece: Piece, shop: Workshop) -> Program | None:
    """The piece itself as a program."""
    function = piece.tree
    function.name = "f"
    arguments = shop.samples.arguments(piece.kinds, shop.rng)
    program = read(ast.unparse(function), [arguments])
    if program is None:
        return None
    program.kinds = dict(zip(piece.parameters, piece.kinds, strict=True))
    for name in list(program.helpers):
        _rename_helper(program, name, helper_name(piece))
    return program


def grow(program: Program, shop: Workshop) -> Program | None:
    """One change that makes the program longer; None where the one drawn does not fit."""
    runs = run(program, shop, 8, 6)
    if runs is None or not runs.calls or len(program.stages) >= _MOST_STAGES:
        return None
    kind, values = outcome_kind(runs)
    grown = program.copy()
    luck = shop.rng.random()
    if luck < 0.30:
        done = _append_piece(grown, kind, shop)
    elif luck < 0.40:
        done = _map_first(grown)
    elif luck < 0.52:
        done = _append_condition(grown, kind, values, shop)
    elif luck < 0.60:
        done = _free_constant(grown, shop)
    else:
        done = _append_operation(grown, kind, shop)
    return grown if done and len(grown.kinds) <= _MOST_PARAMETERS and _matters(grown, program, runs) else None


def _matters(grown: Program, program: Program, runs: Runs) -> bool:
    """Whether a change that leaves the parameters alone changes results, rather than standing there for nothing."""
    if grown.kinds != program.kinds:
        return True
    loaded = load_pure(grown.source())
    if loaded is None:
        return False
    changed = sum(loaded.call("f", arguments).value != value for arguments, value in runs.calls)
    return changed > (0 if grown.stages[-1].when else len(runs.calls) // 2)


def helper_name(piece: Piece) -> str:
    if piece.kind == "function":
        return piece.name
    if piece.name != "value":
        return f"find_{piece.name}"
    match piece.tree.body[-1]:
        case ast.Return(value=ast.Name(id=name)):
            return f"find_{name.strip('_')}"
    return "work_out"


def _rename_helper(program: Program, old: str, new: str) -> None:
    helper = program.helpers.pop(old)
    new = unused(new, {*program.helpers, *program.kinds, "f"})
    helper.name = new
    program.helpers[new] = helper
    for stage in program.stages:
        stage.value = renamed(stage.value, old, new)


def _append_operation(program: Program, kind: str, shop: Workshop) -> bool:
    operation = _draw_operation(kind, shop)
    if operation is None:
        return False
    value = operation.drawn(shop.rng, shop.samples)
    return _add(program, Stage(operation.noun, value), operation.helper)


def _append_condition(program: Program, kind: str, values: list[object], shop: Workshop) -> bool:
    """An operation on some values only: those on one side of what is usual."""
    same = [operation for operation in operations().get(kind, ()) if operation.gives == kind]
    test = _test(kind, values, shop)
    if not same or not test:
        return False
    operation = shop.choose(same, [1.0] * len(same), [operation.phrase for operation in same])
    value = operation.drawn(shop.rng, shop.samples)
    return _add(program, Stage(operation.noun, value, ast.parse(test, mode="eval").body), operation.helper)


def _test(kind: str, values: list[object], shop: Workshop) -> str:
    middle = shop.rng.choice(values)
    match kind:
        case "int":
            return shop.rng.choice([f"{RUNNING} % {shop.rng.randint(2, 4)} == 0", f"{RUNNING} > {middle!r}"])
        case "str" | "ints" | "strs" | "list" | "table" if hasattr(middle, "__len__"):
            tests = [f"len({RUNNING}) > {len(middle)}", f"len({RUNNING}) % 2 == 0"]
            if kind == "ints" and isinstance(middle, list):
                tests.append(f"sum({RUNNING}) > {sum(middle)}")
            return shop.rng.choice(tests)
    return ""


def _draw_operation(kind: str, shop: Workshop) -> Operation | None:
    known = operations().get(kind, ())
    return shop.choose(known, [1.0] * len(known), [operation.phrase for operation in known]) if known else None


def _add(program: Program, stage: Stage, helper: str | None) -> bool:
    if helper:
        if helper in program.kinds:
            return False
        program.helpers.setdefault(helper, definitions(HELPERS[helper])[helper])
    program.stages.append(stage)
    return True


def _append_piece(program: Program, kind: str, shop: Workshop) -> bool:
    """A piece of the seed that takes the value so far as one of its arguments."""
    fitting = [
        (piece, place)
        for piece in shop.pieces
        for place, takes in enumerate(piece.kinds)
        if takes == kind or (takes in ("ints", "strs") and kind == "list")
    ]
    if not fitting:
        return False
    piece, place = shop.choose(
        fitting, [math.log(2 + count_operations(p.tree)) for p, _ in fitting], [p.source for p, _ in fitting]
    )
    arguments: list[str] = []
    for position, (name, takes) in enumerate(zip(piece.parameters, piece.kinds, strict=True)):
        if position == place:
            arguments.append(RUNNING)
            continue
        bound = names_in(piece.tree) - set(piece.parameters)
        same = [known for known, has in program.kinds.items() if has == takes and known not in {*arguments, *bound}]
        if same and shop.rng.random() < 0.5:
            arguments.append(shop.rng.choice(same))
            continue
        taken = {*program.kinds, *program.helpers, *names_in(piece.tree) - {name}}
        taken |= {n for stage in program.stages for e in stage.expressions() for n in names_in(e)}
        name = unused(name, taken)
        program.kinds[name] = takes
        arguments.append(name)
    return _call_piece(program, piece, arguments)


def _call_piece(program: Program, piece: Piece, arguments: list[str]) -> bool:
    noun = piece.name if piece.name != "value" and piece.kind != "function" else NOUN.get(piece.result, "value")
    expression = piece.expression
    if expression is not None:
        # Two steps, so that an argument called like a later parameter is not replaced twice.
        for position, name in enumerate(piece.parameters):
            expression = renamed(expression, name, f"_{position}")
        for position, argument in enumerate(arguments):
            expression = renamed(expression, f"_{position}", argument)
        said = ast.dump(expression)
        if any(ast.dump(stage.value) == said for stage in program.stages):
            return False
        program.stages.append(Stage(noun, expression))
        return True
    helper = piece.tree
    helper.name = helper_name(piece)
    if helper.name in program.kinds:
        return False
    known = program.helpers.get(helper.name)
    if known is not None and ast.dump(known) != ast.dump(helper):
        return False
    program.helpers[helper.name] = helper
    program.stages.append(Stage(noun, call(helper, *arguments)))
    return True


def _map_first(program: Program) -> bool:
    """The whole work once per item: an argument becomes a list of such arguments."""
    name, kind = next(iter(program.kinds.items()))
    if len(program.stages) != 1 or kind not in ("int", "str"):
        return False
    value = program.stages[0].value
    if isinstance(value, ast.ListComp):
        return False
    items = unused(plural(name), {*names_in(value), *program.kinds})
    clause = ast.comprehension(ast.Name(name, ast.Store()), ast.Name(items, ast.Load()), [], 0)
    program.stages = [Stage("results", ast.ListComp(value, [clause]))]
    rest = {other: its for other, its in program.kinds.items() if other != name}
    program.kinds = {items: f"{kind}s", **rest}
    return True


def _free_constant(program: Program, shop: Workshop) -> bool:
    """A constant becomes a parameter."""
    places = [
        (stage, node)
        for stage in program.stages
        if not any(isinstance(node, ast.JoinedStr) for node in ast.walk(stage.value))
        for node in ast.walk(stage.value)
        if isinstance(node, ast.Constant) and type(node.value) in (int, str)
    ]
    if not places or len(program.kinds) >= _MOST_PARAMETERS:
        return False
    stage, constant = shop.rng.choice(places)
    taken = {*program.kinds, *program.helpers, *names_in(stage.value)}
    taken |= {name for other in program.stages for name in names_in(other.value)}
    name = unused("amount" if isinstance(constant.value, int) else "mark", taken)
    stage.value = _Replace(constant, name).visit(stage.value)
    program.kinds[name] = kind_of(constant.value)
    return True


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, name: str) -> None:
        self._target, self._name = target, name

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Name(self._name, ast.Load()) if node is self._target else node
