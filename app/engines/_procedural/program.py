"""A program as a chain of stages over its parameters, read back from its text and written out again.

    def f(path, sep):
        parts = path.split(sep)
        parts = [part for part in parts if part]
        return len(parts)

Every statement is one stage, and each stage works on the value so far, which its code calls `_`. Longer work stands in
helper functions. A function that is no such chain is one stage: the call of itself as a helper.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.engines._procedural.kinds import kind_of
from app.engines._procedural.language import is_builtin
from app.engines._procedural.naming import unused
from app.engines._procedural.writing import written

RUNNING = "_"


@dataclass
class Stage:
    """`value` is computed from RUNNING (the first stage: from parameters alone), where `when` holds."""

    noun: str
    value: ast.expr
    when: ast.expr | None = None

    def expressions(self) -> Iterator[ast.expr]:
        yield self.value
        if self.when:
            yield self.when


@dataclass
class Program:
    """`kinds` maps the parameters of f, in order, to the kinds of their values."""

    kinds: dict[str, str]
    stages: list[Stage]
    helpers: dict[str, ast.FunctionDef] = field(default_factory=dict)

    def copy(self) -> Program:
        return Program(dict(self.kinds), copy.deepcopy(self.stages), dict(self.helpers))

    @property
    def signature(self) -> tuple[str, ...]:
        return tuple(self.kinds.values())

    def uses(self, name: str) -> bool:
        """Whether a stage reads this name."""
        return any(name in names_in(expression) for stage in self.stages for expression in stage.expressions())

    def prune(self) -> None:
        """Forgets parameters and helpers that no stage uses any more."""
        self.kinds = {name: kind for name, kind in self.kinds.items() if self.uses(name)}
        self.helpers = {name: helper for name, helper in self.helpers.items() if self.uses(name)}

    def source(self) -> str:
        alone = self._one_helper()
        if alone:
            return written(alone)
        parts = [written(helper) for helper in self.helpers.values()]
        lines = [f"def f({', '.join(self.kinds)}):", *(f"    {line}" for line in self._body())]
        return "\n\n\n".join([*parts, "\n".join(lines)])

    def _one_helper(self) -> ast.FunctionDef | None:
        """The only helper as f itself, where f would do nothing but call it."""
        match self.stages:
            case [Stage(value=ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]))] if name in self.helpers:
                helper = copy.deepcopy(self.helpers[name])
                wanted = [argument.arg for argument in helper.args.args]
                given = [argument.id for argument in arguments if isinstance(argument, ast.Name)]
                if given == wanted == list(self.kinds) and name not in names_in(helper):
                    helper.name = "f"
                    return helper
        return None

    def _body(self) -> Iterator[str]:
        current = ""
        for position, stage in enumerate(self.stages):
            value = written(renamed(stage.value, RUNNING, current))
            if stage.when:
                yield f"if {written(renamed(stage.when, RUNNING, current))}:"
                yield f"    {current} = {value}"
            elif position == len(self.stages) - 1:
                yield f"return {value}"
                return
            else:
                current = self._variable(stage.noun, position)
                yield f"{current} = {value}"
        yield f"return {current}"

    def _variable(self, noun: str, position: int) -> str:
        """A name for the value after a stage: no parameter still read, no helper, no name bound inside a stage."""
        later = self.stages[position + 1 :]
        taken = set(self.helpers)
        for stage in later:
            for expression in stage.expressions():
                taken |= names_in(expression) - {RUNNING}
        return unused(f"{noun}_value" if is_builtin(noun) else noun, taken)


def names_in(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def substituted(expression: ast.expr, name: str, value: ast.expr) -> ast.expr:
    """A copy with every reading of `name` replaced by `value`."""
    replaced: ast.expr = _Substitution(name, value).visit(copy.deepcopy(expression))
    return replaced


def renamed(expression: ast.expr, name: str, other: str) -> ast.expr:
    return substituted(expression, name, ast.Name(other, ast.Load()))


class _Substitution(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self._name, self._value = name, value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        fits = node.id == self._name and isinstance(node.ctx, ast.Load)
        return copy.deepcopy(self._value) if fits else node


def call(helper: ast.FunctionDef | str, *arguments: str) -> ast.expr:
    """The call of a helper with variables."""
    name = helper if isinstance(helper, str) else helper.name
    return ast.Call(ast.Name(name, ast.Load()), [ast.Name(argument, ast.Load()) for argument in arguments], [])


# --- Reading -------------------------------------------------------------------------------------------------------


def read(source: str, inputs: Sequence[tuple[object, ...]]) -> Program | None:
    """The program of a text; the kinds of its parameters come from inputs. None where it is of another make."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    f = functions.get("f")
    plain = f is not None and not any((f.args.vararg, f.args.kwarg, f.args.kwonlyargs, f.args.defaults))
    if f is None or not plain or len(functions) != len(tree.body) or RUNNING in names_in(tree):
        return None
    parameters = [argument.arg for argument in f.args.posonlyargs + f.args.args]
    if not inputs or any(len(arguments) != len(parameters) for arguments in inputs):
        return None
    kinds = {name: _kind([arguments[i] for arguments in inputs]) for i, name in enumerate(parameters)}
    helpers = {name: node for name, node in functions.items() if name not in ("f", "pre_test_f", "test_f")}
    stages = _chain(f)
    if stages is None:
        helper = copy.deepcopy(f)
        helper.name = unused(_name_for(f), {*helpers, *parameters})
        helpers[helper.name] = helper
        stages = [Stage("result", call(helper, *parameters))]
    return Program(kinds, stages, helpers)


def _kind(values: Sequence[object]) -> str:
    """The kind of a parameter from the values seen."""
    kinds = [kind_of(value) for value in values]
    known = [kind for kind in kinds if kind not in ("list", "none")]
    if known:
        return max(sorted(set(known)), key=known.count)
    return "none" if kinds[0] == "none" else "ints"


def _chain(f: ast.FunctionDef) -> list[Stage] | None:
    """The stages of f, where each statement makes one value of the one before."""
    stages: list[Stage] = []
    current, gone = "", set[str]()

    def stage(noun: str, value: ast.expr, when: ast.expr | None = None) -> bool:
        """Adds a stage, if it reads the value so far and none before."""
        reads = names_in(value) | (names_in(when) if when else set())
        if reads & gone or (bool(stages) and current not in names_in(value)):
            return False
        if stages:
            value = renamed(value, current, RUNNING)
            when = renamed(when, current, RUNNING) if when else None
        stages.append(Stage(noun.rstrip("_0123456789") or noun, value, when))
        return True

    for statement in f.body[bool(ast.get_docstring(f)) : -1]:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                if not stage(target, value):
                    return None
                if current and current != target:
                    gone.add(current)
                gone.discard(target)
                current = target
            case ast.If(test=test, body=[ast.Assign(targets=[ast.Name(id=target)], value=value)], orelse=[]) if (
                stages and target == current
            ):
                if not stage(target, value, test):
                    return None
            case _:
                return None
    match f.body[-1]:
        case ast.Return(value=ast.Name(id=name)) if stages and name == current:
            return stages
        case ast.Return(value=ast.expr() as value) if stage("result", value):
            return stages
    return None


def _name_for(f: ast.FunctionDef) -> str:
    """A helper's name from what it returns."""
    match f.body[-1]:
        case ast.Return(value=ast.Name(id=name)):
            return f"find_{name.strip('_')}"
    return "work_out"
