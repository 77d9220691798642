"""Takes out of a function what never happened when it ran: branches not taken, loops not entered."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from app.engines._procedural.running import Loaded, Result

_Seen = dict[int, set[bool]]


def trim(source: str, name: str, calls: Sequence[tuple[object, ...]]) -> str:
    """The function without the parts that `calls` leave dead; unchanged where that would alter a result."""
    tree = ast.parse(source)
    seen: _Seen = {}
    _Marker().visit(tree)
    marked = _results(ast.unparse(ast.fix_missing_locations(tree)), name, calls, seen)
    if marked is None or all(truths == {True, False} for truths in seen.values()):
        return source
    trimmed = ast.parse(source)
    _Pruner(seen).visit(trimmed)
    shorter = ast.unparse(ast.fix_missing_locations(trimmed))
    return shorter if _results(shorter, name, calls, {}) == marked else source


def _results(source: str, name: str, calls: Sequence[tuple[object, ...]], seen: _Seen) -> list[Result] | None:
    def mark(place: int, value: object) -> object:
        seen.setdefault(place, set()).add(bool(value))
        return value

    try:
        loaded = Loaded(source, pure=True, extra={"_mark": mark})
    except SyntaxError:
        return None
    return [loaded.call(name, arguments) for arguments in calls]


class _Numbered(ast.NodeTransformer):
    """Numbers every choice in the order of visiting, which marking and pruning share."""

    def __init__(self) -> None:
        self._last = 0

    def _number(self) -> int:
        self._last += 1
        return self._last


class _Marker(_Numbered):
    def _marked(self, node: ast.If | ast.While | ast.IfExp) -> ast.AST:
        place = self._number()
        self.generic_visit(node)
        node.test = _mark(place, node.test)
        return node

    visit_If = visit_While = visit_IfExp = _marked

    def visit_For(self, node: ast.For) -> ast.AST:
        place = self._number()
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_mark(place, ast.Constant(True))))
        return node


class _Pruner(_Numbered):
    def __init__(self, seen: _Seen) -> None:
        super().__init__()
        self._seen = seen

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = _reachable(node.body)
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        truths = self._seen.get(self._number(), set())
        self.generic_visit(node)
        if truths == {True, False}:
            node.body = _reachable(node.body) or [ast.Pass()]
            node.orelse = _reachable(node.orelse)
            return node
        return (node.body if truths == {True} else node.orelse) if truths else []

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        truths = self._seen.get(self._number(), set())
        self.generic_visit(node)
        if len(truths) != 1:
            return node
        return node.body if truths == {True} else node.orelse

    def _loop(self, node: ast.For | ast.While) -> ast.AST | list[ast.stmt]:
        entered = True in self._seen.get(self._number(), set())
        self.generic_visit(node)
        if not entered:
            return []
        node.body = _reachable(node.body) or [ast.Pass()]
        return node

    visit_For = visit_While = _loop


def _reachable(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements up to the first that always leaves the block, without idle ones."""
    kept: list[ast.stmt] = []
    for statement in body:
        if not isinstance(statement, ast.Pass):
            kept.append(statement)
        if isinstance(statement, ast.Return | ast.Break | ast.Continue):
            break
    return kept


def _mark(place: int, value: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("_mark", ast.Load()), [ast.Constant(place), value], [])
