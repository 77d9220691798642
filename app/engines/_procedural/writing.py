"""Writes code down as a person would: as ast.unparse does, but with `sum(x for x in y)` in single parentheses."""

from __future__ import annotations

import ast
import copy


def written(node: ast.AST) -> str:
    """The source of a tree. Raises ValueError for trees that cannot be written down."""
    lone = _LoneGenerators()
    text = ast.unparse(ast.fix_missing_locations(lone.visit(copy.deepcopy(node))))
    for name, generator in reversed(lone.found.items()):
        text = text.replace(name, generator)
    return text


class _LoneGenerators(ast.NodeTransformer):
    """Puts a name in place of every generator that is a call's only argument."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        match node:
            case ast.Call(args=[ast.GeneratorExp() as generator], keywords=[]):
                name = f"__generator_{len(self.found)}__"
                self.found[name] = ast.unparse(generator)[1:-1]
                node.args = [ast.Name(name, ast.Load())]
        return node
