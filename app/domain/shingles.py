"""A program as the set of its shingles: short stretches of its syntax tree, with the names that it binds left open.

Two programs are as similar as the shares of shingles that they have in common (Jaccard). Renaming, layout, comments,
docstrings and annotations change nothing; a changed constant, operator or statement changes a few.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache

from app.domain.code import tree_of

LENGTH = 5  # nodes of a shingle
# Nodes that say nothing of what a program does, or that every program has.
_SILENT = (ast.expr_context, ast.type_ignore, ast.Module)
_LEAVES = (ast.Name, ast.Constant)
_UNREAD = frozenset({"annotation", "returns", "type_params"})
_BOUND = "$"


def shingles(program: str) -> frozenset[str]:
    """Raises SyntaxError."""
    words = _words(_nodes(tree_of(program)))
    if len(words) < LENGTH:
        return frozenset([" ".join(words)])
    return frozenset(" ".join(words[at : at + LENGTH]) for at in range(len(words) - LENGTH + 1))


def constructs(program: str) -> tuple[str, ...]:
    """The kinds of syntax that a program uses, such as ListComp or While, in alphabetical order. Raises SyntaxError."""
    found = {type(node).__name__ for node in _nodes(tree_of(program))}
    return tuple(sorted(found - {"arguments", "arg", "Expr"}))


@lru_cache(maxsize=1)  # a program's shingles and constructs are mostly asked for together
def _nodes(tree: ast.Module) -> Sequence[ast.AST]:
    """In the order of the source, without a walk that calls itself: programs may be nested deeply."""
    found: list[ast.AST] = []
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, _LEAVES):
            found.append(node)
            continue
        if not isinstance(node, _SILENT):
            found.append(node)
        left += reversed(_children(node))
    return found


def _children(node: ast.AST) -> list[ast.AST]:
    below: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if name in _UNREAD:
            continue
        if isinstance(value, ast.AST):
            below.append(value)
        elif isinstance(value, list):
            below += [
                item for item in value if isinstance(item, ast.AST) and not (name == "body" and _is_docstring(item))
            ]
    return below


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _words(nodes: Sequence[ast.AST]) -> list[str]:
    bound = {name for node in nodes if (name := _binding(node))}
    return [_word(node, bound) for node in nodes]


def _binding(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return None if isinstance(node.ctx, ast.Load) else node.id
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
        return node.name
    return node.name if isinstance(node, (ast.MatchAs, ast.MatchStar)) else None


def _word(node: ast.AST, bound: set[str]) -> str:
    if isinstance(node, ast.Name):
        return _BOUND if node.id in bound else node.id
    if isinstance(node, ast.arg):
        return _BOUND
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!r}"
    if isinstance(node, ast.Attribute):
        return f".{node.attr}"
    if isinstance(node, ast.keyword):
        return f"{node.arg}="
    if isinstance(node, ast.alias):
        return f"import {node.name}"
    return type(node).__name__
