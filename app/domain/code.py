"""Parsing Python that is not ours, without its warnings."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache


def parse(source: str) -> ast.Module:
    """The syntax tree of `source`. Raises SyntaxError, for whatever reason it does not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown escapes and the like: they are the author's business
        try:
            return ast.parse(source)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError("characters that are none in Python, or nested too deeply") from error


@lru_cache(maxsize=16)
def tree_of(source: str) -> ast.Module:
    """As `parse`, for what looks at a program that others look at as well: nobody changes the tree."""
    return parse(source)


@lru_cache(maxsize=4)  # several look at one program, one after the other
def nodes(tree: ast.AST) -> Sequence[ast.AST]:
    """As ast.walk and in its order, in a third of the time."""
    found = [tree]
    for node in found:
        found += children(node)
    return found


def children(node: ast.AST) -> list[ast.AST]:
    """As ast.iter_child_nodes, but at once."""
    found = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def imports_others(source: str) -> bool:
    """Whether it imports a module that is not of the standard library, which may be missing elsewhere."""
    try:
        tree = parse(source)
    except SyntaxError:
        return False
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name.partition(".")[0] not in sys.stdlib_module_names for name in names)
