"""Compiles code so that it counts its steps, is held back from growing without a loop, and can be watched.

The names that it then calls are given by running.py: `_tick` at every function entry and loop turn, `_bounded` on what
a comprehension goes over, `_times`, `_power` and `_shift` for operators that make large values, `_see` on every value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from types import CodeType
from typing import Any


@lru_cache(maxsize=256)
def compiled(source: str, *, observed: bool) -> CodeType:
    """Raises SyntaxError and ValueError."""
    tree: ast.Module = ast.parse(source)
    if observed:
        tree = _Observed().visit(tree)
    tree = _Metered().visit(tree)
    return compile(ast.fix_missing_locations(tree), "<problem>", "exec")


def _flat(results: Iterable[ast.stmt | list[ast.stmt]]) -> list[ast.stmt]:
    statements: list[ast.stmt] = []
    for result in results:
        statements.extend(result if isinstance(result, list) else [result])
    return statements


def _called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


class _Metered(ast.NodeTransformer):
    """Counts a step per function entry, loop turn and item gone over, and guards what can grow without a loop."""

    _GUARDS = {ast.Mult: "_times", ast.Pow: "_power", ast.LShift: "_shift"}

    def _ticking(self, node: ast.For | ast.While | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_called("_tick")))
        return node

    visit_For = visit_While = visit_FunctionDef = visit_AsyncFunctionDef = _ticking

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if not node.is_async:
            node.iter = _called("_bounded", node.iter)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        guard = self._GUARDS.get(type(node.op))
        return _called(guard, node.left, node.right) if guard else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        guard = self._GUARDS.get(type(node.op))
        if not guard or not isinstance(node.target, ast.Name):
            return node
        return ast.Assign([node.target], _called(guard, ast.Name(node.target.id, ast.Load()), node.value))


class _Observed(ast.NodeTransformer):
    """Passes every value computed in a function through `_see`."""

    _SEEN = (
        ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Subscript, ast.IfExp, ast.JoinedStr,
        ast.ListComp, ast.DictComp,
    )  # fmt: skip

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.JoinedStr):
            return _called("_see", node)
        if isinstance(node, ast.arguments | ast.pattern):
            return node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _flat(self.visit(statement) for statement in node.body)
            return node
        self.generic_visit(node)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            seen = ast.Assign([ast.Name(name, ast.Store())], _called("_see", ast.Name(name, ast.Load())))
            return [node, seen]
        if isinstance(node, self._SEEN) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return _called("_see", node)
        return node
