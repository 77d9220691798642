"""General steps that lengthen a program, drawn with constants, and recognised again in a program's text."""

from __future__ import annotations

import ast
from functools import cached_property, lru_cache
from random import Random

from app.engines._procedural.helpers import HELPERS
from app.engines._procedural.operation_table import TABLE
from app.engines._procedural.samples import Samples

CONSTANTS = ("K", "N", "M", "C", "S", "W")
_MODULI = (5, 7, 11, 13, 26, 37, 64, 97, 211, 509)


class Operation:
    """A step from values of kind `takes` to values of kind `gives`, called `noun` afterwards."""

    def __init__(self, takes: str, code: str, gives: str, noun: str, phrase: str) -> None:
        self.takes = takes
        self.code = code
        self.gives = gives
        self.noun = noun
        self.phrase = phrase

    @cached_property
    def template(self) -> ast.expr:
        return ast.parse(self.code, mode="eval").body

    @property
    def helper(self) -> str | None:
        """The name of the helper function that it calls."""
        match self.template:
            case ast.Call(func=ast.Name(id=name)) if name in HELPERS:
                return name
        return None

    def drawn(self, rng: Random, samples: Samples) -> ast.expr:
        """The step with constants filled in."""
        constants: dict[str, str | int] = {
            "K": rng.randint(2, 5),
            "N": rng.randint(4, 8),
            "M": rng.choice(_MODULI),
            "C": rng.randint(1, 40),
            "S": rng.choice(" ,-_./=:"),
            "W": rng.choice(samples.words)[:3].lower(),
        }
        return ast.parse(_Fill(constants).text(self.code), mode="eval").body

    def constants_in(self, step: ast.expr) -> dict[str, object] | None:
        """The constants with which this operation is `step`; None where it is another."""
        found: dict[str, object] = {}
        return found if _matches(self.template, step, found) else None


class _Fill(ast.NodeTransformer):
    def __init__(self, constants: dict[str, str | int]) -> None:
        self._constants = constants

    def text(self, code: str) -> str:
        return ast.unparse(self.visit(ast.parse(code, mode="eval")))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self._constants[node.id]) if node.id in self._constants else node


def _matches(template: object, step: object, found: dict[str, object]) -> bool:
    if isinstance(template, ast.Name) and template.id in CONSTANTS:
        return isinstance(step, ast.Constant) and found.setdefault(template.id, step.value) == step.value
    if isinstance(template, list):
        return (
            isinstance(step, list)
            and len(template) == len(step)
            and all(_matches(a, b, found) for a, b in zip(template, step, strict=True))
        )
    if isinstance(template, ast.AST):
        return type(template) is type(step) and all(
            _matches(getattr(template, field, None), getattr(step, field, None), found) for field in template._fields
        )
    return type(template) is type(step) and template == step


@lru_cache(maxsize=1)
def operations() -> dict[str, tuple[Operation, ...]]:
    """All operations by the kind that they take."""
    by_kind: dict[str, tuple[Operation, ...]] = {}
    for takes, rows in TABLE.items():
        by_kind[takes] = tuple(Operation(takes, *row) for row in rows)
    return by_kind


def recognise(step: ast.expr) -> tuple[Operation, dict[str, object]] | None:
    """The operation that `step` is, with its constants."""
    for rows in operations().values():
        for operation in rows:
            constants = operation.constants_in(step)
            if constants is not None:
                return operation, constants
    return None
