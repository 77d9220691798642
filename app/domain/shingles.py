"""A program as the set of its shingles: short stretches of its syntax tree, with the names that it binds left open.

Two programs are as similar as the shares of shingles that they have in common (Jaccard). Renaming, layout, comments,
docstrings and annotations change nothing; a changed constant, operator or statement changes a few.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

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
    bound = {name for node in nodes if (binding := _BINDINGS.get(type(node))) and (name := binding(node))}
    words = []
    for node in nodes:
        spelling = _SPELLINGS.get(type(node))
        word = spelling(node) if spelling else type(node).__name__
        words.append(_BOUND if type(node) is ast.Name and word in bound else word)
    return words


# By the kind of node, rather than one question after the other: each new program is read like this.
_BINDINGS: Mapping[type[ast.AST], Callable[[Any], str | None]] = {
    ast.Name: lambda node: None if isinstance(node.ctx, ast.Load) else node.id,
    ast.arg: lambda node: node.arg,
    **dict.fromkeys(
        (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar),
        lambda node: node.name,
    ),
}
_SPELLINGS: Mapping[type[ast.AST], Callable[[Any], str]] = {
    ast.Name: lambda node: node.id,
    ast.arg: lambda _: _BOUND,
    ast.Constant: lambda node: f"{type(node.value).__name__}:{node.value!r}",
    ast.Attribute: lambda node: f".{node.attr}",
    ast.keyword: lambda node: f"{node.arg}=",
    ast.alias: lambda node: f"import {node.name}",
}
