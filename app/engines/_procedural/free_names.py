"""The names that code reads before it binds them: the parameters of a fragment, in order of first use."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from app.engines._procedural.language import FUNCTIONS


def free_names(body: Iterable[ast.stmt]) -> list[str]:
    reader = _Reader()
    for statement in body:
        reader.visit(statement)
    return list(reader.free)


class _Reader(ast.NodeVisitor):
    """Visits in the order of evaluation."""

    def __init__(self) -> None:
        self.free: dict[str, None] = {}
        self._bound: set[str] = set()

    def _read(self, name: str) -> None:
        if name not in self._bound and name not in FUNCTIONS:
            self.free[name] = None

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read(node.id)
        else:
            self._bound.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target.id)
        self.visit(node.value)
        self.visit(node.target)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.visit(node.target)
        for statement in node.body + node.orelse:
            self.visit(statement)

    def _scoped(self, names: Iterable[ast.AST], inner: Iterable[ast.AST]) -> None:
        outer = set(self._bound)
        for name in names:
            self.visit(name)
        for node in inner:
            self.visit(node)
        self._bound = outer

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        clauses: list[ast.AST] = []
        for clause in node.generators:
            clauses += [clause.iter, clause.target, *clause.ifs]
        self._scoped(clauses, [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def visit_Lambda(self, node: ast.Lambda) -> None:
        outer = set(self._bound)
        self._bound |= {argument.arg for argument in node.args.args}
        self.visit(node.body)
        self._bound = outer
