"""Libraries beyond the standard one that programs may import, where the settings name some: the driver's side.

They make an interpreter several times as large, and so each of its forks slower. That is why they have interpreters of
their own, for the programs that import them.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from app.domain.code import parse
from app.errors import LibraryMissing

# With these a program may import what no import statement of it names.
_DYNAMIC = frozenset({"__import__", "exec", "eval", "compile"})
_LONGEST = 1 << 18  # characters that are looked at; a longer program gets the libraries if it names one


def places(libraries: Sequence[str]) -> list[str]:
    """The folders that hold them. Raises LibraryMissing; nothing is imported here."""
    found = {name: importlib.util.find_spec(name) for name in libraries}
    if missing := [name for name, spec in found.items() if spec is None]:
        raise LibraryMissing(
            f"Programs may use {' and '.join(missing)}, yet that is not installed.",
            field="sandbox_libraries",
            remedy="Install it where Cairn runs (the extra `libraries` has numpy and sympy), or take it out of "
            "CAIRN_SANDBOX_LIBRARIES.",
        )
    return list(dict.fromkeys(str(_folder(spec)) for spec in found.values() if spec))


def _folder(spec: ModuleSpec) -> Path:
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin or "").parent


def wanted(source: str, libraries: Sequence[str]) -> bool:
    """Whether `source` may import one of them: it depends on the text alone, and in doubt it may.

    A program that hides the name finds no such module, on every machine alike.
    """
    named = [name for name in libraries if name in source]  # most programs end here, unparsed
    if not named:
        return False
    if len(source) > _LONGEST:
        return True
    try:
        tree = parse(source)
    except SyntaxError:
        return True
    return any(_may_import(node, named) for node in ast.walk(tree))


def _may_import(node: ast.AST, libraries: Sequence[str]) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in libraries for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in libraries
    return (isinstance(node, ast.Name) and node.id in _DYNAMIC) or (
        isinstance(node, ast.Attribute) and node.attr in _DYNAMIC
    )
