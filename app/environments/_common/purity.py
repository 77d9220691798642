"""A static look for clocks, randomness, network and files, so that the teacher is told what it used and where.

It is no defence (the sandbox is) and no proof (the two executions are): it catches what would differ only on another
day or another machine, and it gives a better sentence than "the outputs differ".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from app.domain.code import nodes

CLOCK, CHANCE, NETWORK, FILES, PROCESS, IDENTITY = (
    "the clock",
    "randomness",
    "the network",
    "files or the terminal",
    "processes, threads or the machine",
    "the identity of objects",
)

# Dotted prefix -> what it reaches, or None where that part of a module is pure. The longest prefix counts.
_REACHES: dict[str, str | None] = {
    "time": CLOCK,
    "sched": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.date.today": CLOCK,
    "random": CHANCE,
    "secrets": CHANCE,
    "uuid": CHANCE,
    "uuid.UUID": None,
    "uuid.uuid3": None,
    "uuid.uuid5": None,
    "numpy.random": CHANCE,
    "numpy.datetime64": CLOCK,
    "asyncio": NETWORK,
    "ftplib": NETWORK,
    "http.client": NETWORK,
    "http.server": NETWORK,
    "httpx": NETWORK,
    "imaplib": NETWORK,
    "poplib": NETWORK,
    "requests": NETWORK,
    "select": NETWORK,
    "selectors": NETWORK,
    "smtplib": NETWORK,
    "socket": NETWORK,
    "socketserver": NETWORK,
    "ssl": NETWORK,
    "urllib.request": NETWORK,
    "fileinput": FILES,
    "getpass": FILES,
    "glob": FILES,
    "io.FileIO": FILES,
    "io.open": FILES,
    "linecache": FILES,
    "mmap": FILES,
    "os": FILES,
    "os.fspath": None,
    "os.path": None,
    "os.path.abspath": FILES,
    "os.path.exists": FILES,
    "os.path.expanduser": FILES,
    "os.path.getmtime": FILES,
    "os.path.getsize": FILES,
    "os.path.isdir": FILES,
    "os.path.isfile": FILES,
    "os.path.realpath": FILES,
    "os.sep": None,
    "pathlib.Path": FILES,
    "shutil": FILES,
    "sqlite3": FILES,
    "sys.argv": FILES,
    "sys.modules": PROCESS,
    "sys.stdin": FILES,
    "tempfile": FILES,
    "concurrent": PROCESS,
    "ctypes": PROCESS,
    "importlib": PROCESS,
    "multiprocessing": PROCESS,
    "platform": PROCESS,
    "signal": PROCESS,
    "subprocess": PROCESS,
    "threading": PROCESS,
    "builtins.__import__": PROCESS,
    "builtins.input": FILES,
    "builtins.open": FILES,
    "builtins.id": IDENTITY,
}

_USING = (ast.ImportFrom, ast.Attribute, ast.Name)
_MODULES = frozenset({"builtins", "os", "posix", "sys"})  # that others hold in their names


def impurities(tree: ast.Module) -> list[str]:
    """One phrase per use, in the order of lines: "line 3 uses the clock (`time.time`)"."""
    every = nodes(tree)
    names = dict(_imported(every))
    bound = _bound(every) | names.keys()
    found: dict[tuple[int, str], str] = {}
    for node in every:
        if not isinstance(node, _USING):  # most are none: told at once
            continue
        for line, path in _uses(node, names, bound):
            if kind := _reaches(path):
                shown = path.removeprefix("builtins.").removesuffix(".*")
                found.setdefault((line, kind), f"line {line} uses {kind} (`{shown}`)")
    return [found[key] for key in sorted(found)]


def _reaches(path: str) -> str | None:
    parts = path.split(".")
    if not _MODULES.isdisjoint(parts[1:]) and path not in _REACHES:  # `enum.sys`: a way to all others
        return PROCESS
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((_REACHES[prefix] for prefix in prefixes if prefix in _REACHES), None)


def _uses(node: ast.AST, names: dict[str, str], bound: set[str]) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield node.lineno, f"{node.module}.{alias.name}"
    elif isinstance(node, ast.Attribute):
        if path := _dotted(node, names):
            yield node.lineno, path
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in bound:
        yield node.lineno, f"builtins.{node.id}"


def _dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """`dt.datetime.now` under `import datetime as dt` is "datetime.datetime.now"; None where no module is meant."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return None
    return ".".join([names[node.id], *reversed(parts)])


def _imported(every: Sequence[ast.AST]) -> Iterator[tuple[str, str]]:
    """Local names that imports bind, with what they stand for."""
    for node in every:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _bound(every: Sequence[ast.AST]) -> set[str]:
    """Names that the program itself defines: a parameter called `input` or `id` is no builtin."""
    bound: set[str] = set()
    for node in every:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
    return bound
