"""Seeds: pieces of real code, and how snippets are drawn from it.

A snippet is 25 to 50 consecutive lines from a random place, the size that arXiv 2603.24202 draws from StarCoderData.
Places that hold little code (long docstrings, comments, tables of constants) are passed over.
"""

from __future__ import annotations

import ast
import os
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random

from app.domain.code import parse
from app.errors import NotFound

SHORTEST, LONGEST = 25, 50
# The share of a snippet's lines that must hold code.
_ENOUGH = 0.6
# A literal over more lines than this is data rather than code.
_TABLE = 8
_TRIES = 40

# Folders of the standard library that are tests, generated tables, or programs of their own.
_LEFT_OUT = frozenset(
    {
        "__phello__",
        "__pycache__",
        "dist-packages",
        "encodings",
        "ensurepip",
        "idle_test",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    }
)


@dataclass(frozen=True, slots=True)
class SeedDraft:
    """A seed on its way in. `source` says where a reader finds it: `heapq.py 340-378`."""

    text: str
    kind: str  # solution or snippet
    source: str
    language: str = "python"
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Consecutive lines of a file, numbered from 1."""

    text: str
    first: int
    last: int


def snippets(source: str, rng: Random, count: int = 1, low: int = SHORTEST, high: int = LONGEST) -> list[Snippet]:
    """Up to `count` snippets of `low` to `high` lines that do not overlap and mostly hold code, as drawn.

    Fewer where the text has no room for more. For Python; other text counts every line that is not blank.
    """
    lines = source.split("\n")  # as the parser counts them; str.splitlines also splits at form feeds
    codes = _code_lines(lines)
    found: list[Snippet] = []
    for _ in range(_TRIES * count if len(lines) >= low else 0):
        length = rng.randint(low, min(high, len(lines)))
        start = rng.randint(0, len(lines) - length)
        held = sum(codes[start : start + length])
        apart = all(start >= other.last or start + length < other.first for other in found)
        if held >= _ENOUGH * length and apart:
            found.append(Snippet("\n".join(lines[start : start + length]), start + 1, start + length))
            if len(found) == count:
                break
    return found


def stdlib_snippets(count: int, rng: Random) -> list[SeedDraft]:
    """Seeds from the library of the running interpreter, files weighted by their length; no two overlap.

    Raises NotFound where there are no sources.
    """
    files = _stdlib()
    if not files:
        raise NotFound(
            "This Python comes without the sources of its standard library.",
            field="seeds",
            remedy="Import seeds of your own, or run under a Python that has them.",
        )
    weights = list(accumulate(lines for _, _, lines in files))
    drafts: dict[tuple[str, int], SeedDraft] = {}
    taken: dict[str, list[Snippet]] = {}
    while len(drafts) < count:
        name, path, _ = rng.choices(files, cum_weights=weights)[0]
        for snippet in snippets(path.read_text(encoding="utf-8"), rng):
            others = taken.setdefault(name, [])
            if all(snippet.first > other.last or snippet.last < other.first for other in others):
                others.append(snippet)
                where = f"{name} {snippet.first}-{snippet.last}"
                drafts[name, snippet.first] = SeedDraft(snippet.text, "snippet", where, licence="PSF-2.0")
    return list(drafts.values())


@cache
def _stdlib() -> list[tuple[str, Path, int]]:
    """Name, place and number of lines of the library's modules, in the order of their names."""
    root = Path(sysconfig.get_path("stdlib"))
    found = []
    for folder, below, names in os.walk(root):
        below[:] = (name for name in below if name not in _LEFT_OUT and not name.startswith("config-"))
        for name in names:
            path = Path(folder, name)
            if path.suffix != ".py" or name.startswith("_sysconfigdata"):
                continue
            with suppress(UnicodeDecodeError):  # a file in another encoding is no loss
                lines = path.read_text(encoding="utf-8").count("\n")
                if lines >= LONGEST:
                    found.append((path.relative_to(root).as_posix(), path, lines))
    return sorted(found)


def _code_lines(lines: Sequence[str]) -> list[bool]:
    """For each line, whether it holds code: not blank, no comment, no part of a docstring or table."""
    codes = [bool(line.strip()) and not line.lstrip().startswith("#") for line in lines]
    try:
        tree = parse("\n".join(lines))
    except SyntaxError:
        return codes  # another language or version: every line that is not blank counts
    for first, last in _no_code(tree):
        codes[first - 1 : last] = [False] * (last - first + 1)
    return codes


def _no_code(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """First and last lines of strings that stand alone and of large literals."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.Constant):
            last = node.end_lineno or node.lineno
            if last - node.lineno >= _TABLE and not any(isinstance(n, ast.Call | ast.Lambda) for n in ast.walk(node)):
                yield node.lineno, last
