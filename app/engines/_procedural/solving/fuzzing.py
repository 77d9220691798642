"""Fuzzing: tries inputs that pass the check of types, and neighbours of them, until one breaks the property."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from random import Random

from app.domain.fences import fenced
from app.domain.values import Unsupported, render
from app.engines._procedural.running import Loaded
from app.engines._procedural.solving.effort import effort
from app.engines._procedural.solving.guessing import Guesses, parameters_of

_TRIES = 40  # at budget 1
_SPREAD = 1.2
_NEAR = 0.4
_KINDS = {
    "int": ("int",),
    "str": ("str",),
    "dict": ("table",),
    "bool": ("bool",),
    "bytes": ("bytes",),
    "tuple": ("tuple",),
    "float": ("float",),
    "list": ("ints", "strs", "pairs"),
}
_UNLIKELY = 0.01


def attempt(view: Mapping[str, object], rng: Random, budget: float) -> str:
    """`view` holds `program`, with all three functions."""
    try:
        answer = search(str(view["program"]), rng, max(1, int(_TRIES * budget * effort(rng, _SPREAD))))
    except Exception:  # noqa: BLE001  (a program that does not even load has no solution to find)
        return ""
    if answer is None:
        return ""
    try:
        return fenced(", ".join(map(render, answer)), "input")
    except Unsupported:
        return ""


def search(source: str, rng: Random, tries: int) -> tuple[object, ...] | None:
    """A valid input on which the property is False, else a valid one."""
    loaded = Loaded(source)
    guesses = Guesses(source, parameters_of(source, "test_f"), None, rng)
    _read_check(source, guesses)
    valid: list[tuple[object, ...]] = []
    for _ in range(tries):
        if valid and rng.random() < _NEAR:
            best = rng.choice(valid)
            place = rng.randrange(len(best))
            arguments = (*best[:place], guesses.near(best[place]), *best[place + 1 :])
        else:
            arguments = tuple(map(guesses.value, guesses.kinds()))
        if loaded.call("pre_test_f", arguments).value is not True:
            continue
        result = loaded.call("test_f", arguments)
        if result.value is False:
            return arguments
        if result.ok:
            valid.append(arguments)
    return valid[-1] if valid else None


def _read_check(source: str, guesses: Guesses) -> None:
    """Sharpens the guesses by the types that pre_test_f asks for; its parameters are those of f by position."""
    check = next(
        node
        for node in reversed(ast.parse(source).body)
        if isinstance(node, ast.FunctionDef) and node.name == "pre_test_f"
    )
    own = [argument.arg for argument in check.args.args]
    for node in ast.walk(check):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), ast.Name(id=wanted)]):
                pass
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=name)]), comparators=[ast.Name(id=wanted)]
            ):
                pass
            case _:
                continue
        if name in own and own.index(name) < len(guesses.parameters):
            kinds = _KINDS.get(wanted, ())
            if wanted == "list":
                kinds = _list_kinds(check, name)
            weights = guesses.weights[guesses.parameters[own.index(name)]]
            for kind in weights:
                weights[kind] = 1.0 if kind in kinds else _UNLIKELY


def _list_kinds(check: ast.FunctionDef, name: str) -> tuple[str, ...]:
    """What `all(isinstance(item, T) for item in name)` says of the items."""
    for node in ast.walk(check):
        match node:
            case ast.GeneratorExp(elt=elt, generators=[ast.comprehension(iter=ast.Name(id=items))]) if items == name:
                types = {other.id for other in ast.walk(elt) if isinstance(other, ast.Name)}
                found = tuple(
                    kind for kind, type_ in (("ints", "int"), ("strs", "str"), ("pairs", "tuple")) if type_ in types
                )
                if found:
                    return found
    return _KINDS["list"]
