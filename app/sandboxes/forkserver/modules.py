"""The part of the standard library that programs may import: the pure part, imported once, before the wall goes up.

No file can be read inside, so that what is not imported here does not exist there. Clocks, the operating system, files,
processes and the network are left out on purpose: a problem that needs them has no fixed answer.

An interpreter that holds little forks faster, so there are two kinds. A narrow one holds what most programs make do
with; a program that wants more of what is allowed is left to a wide one, from the start where that is plain to see.
"""

from __future__ import annotations

import builtins
import codecs
import contextlib
import ctypes
import gc
import importlib
import os
import re
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

from app.sandboxes.forkserver import protocol

ALLOWED = (
    "__future__",
    "abc",
    "array",
    "ast",
    "base64",
    "binascii",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "collections.abc",
    "colorsys",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fnmatch",
    "fractions",
    "functools",
    "graphlib",
    "hashlib",
    "heapq",
    "html",
    "inspect",
    "io",
    "itertools",
    "json",
    "keyword",
    "math",
    "numbers",
    "operator",
    "pprint",
    "queue",
    "random",
    "re",
    "reprlib",
    "shlex",
    "statistics",
    "string",
    "struct",
    "sys",
    "textwrap",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "warnings",
    "weakref",
    "zlib",
)
# The narrow kind's share. No program may import atexit, yet what reaches for it should find it in either kind.
COMMON = (
    *("__future__", "abc", "bisect", "collections", "collections.abc", "contextlib", "enum", "functools", "heapq"),
    *("itertools", "json", "keyword", "math", "operator", "re", "reprlib", "string", "sys", "types", "typing"),
    *("warnings", "atexit"),
)
# Imported only when first used, by the modules above or by the interpreter itself, which takes `_pylong` for huge
# integers; which there are depends on the version of Python.
_LAZY = (
    *("_strptime", "atexit", "_suggestions", "annotationlib", "html.entities", "string.templatelib"),
    *("_pylong", "_ast_unparse", "codeop"),
    *("_md5", "_sha1", "_sha2", "_sha256", "_sha512", "_sha3", "_blake2"),
)
_CLOCK_READERS = (("date", "today"), ("datetime", "now"), ("datetime", "utcnow"))
_ENCODINGS = (
    *("ascii", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
    *("utf-7", "cp1252", "cp437", "iso8859-15", "unicode-escape", "raw-unicode-escape", "punycode", "idna"),
    *("rot13", "hex", "base64"),
)


def _lineage(module: str) -> list[str]:
    """`a.b.c` -> `a`, `a.b`, `a.b.c`."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


_allowed = {ancestor for name in ALLOWED for ancestor in _lineage(name)}
_uncommon = "|".join(re.escape(name) for name in ALLOWED if name not in COMMON)
# Bounded, so that the time it takes stays linear in a hostile source; what it overlooks, the narrow interpreter meets.
_wide_import = re.compile(rf"^[ \t]*+(?:import|from)[ \t][\w., \t]{{0,80}}?\b(?:{_uncommon})\b", re.MULTILINE).search


def wants_wide(source: str) -> bool:
    """Whether a program plainly imports what a narrow interpreter does not hold."""
    return _wide_import(source) is not None


def import_all(preload: Sequence[str], path: Sequence[str], *, wide: bool = True) -> None:
    """`path` is where `preload` may be found, and is forgotten afterwards. Raises ImportError."""
    for name in ALLOWED if wide else COMMON:
        importlib.import_module(name)
    if wide:
        for name in _LAZY:
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
        for name in _ENCODINGS:
            codecs.lookup(name)
    known = sys.path[:]
    sys.path[:0] = path
    for name in preload:
        importlib.import_module(name)
    sys.path[:] = known
    if "hashlib" in sys.modules:
        sys.modules["hashlib"].sha256()  # OpenSSL reads its configuration at first use
    if "datetime" in sys.modules:
        for kind, method in _CLOCK_READERS:
            _refuse_clock(getattr(sys.modules["datetime"], kind), method)


def close_imports(preload: Sequence[str], *, wide: bool = True) -> dict[str, Any]:
    """Ends importing from files, here and in children; gives the built-ins that programs see."""
    sys.meta_path.clear()
    if not wide:
        sys.meta_path.append(SimpleNamespace(find_spec=_leave_if_wide))
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    sys.path.clear()
    named = {*ALLOWED, *preload}
    visible = {module for module in sys.modules if not named.isdisjoint(_lineage(module))}
    visible.update(ancestor for module in visible.copy() for ancestor in _lineage(module))
    really_import = builtins.__import__

    def import_visible(
        name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> Any:
        # Built-in functions import for themselves with a list here; an import statement has a tuple or None.
        if level == 0 and name not in visible and type(fromlist) is not list:
            if not wide and not _allowed.isdisjoint(_lineage(name)):
                os._exit(protocol.WANTS_WIDE)
            raise ModuleNotFoundError(f"the module {name!r} is not available to programs", name=name)
        return really_import(name, globals, locals, fromlist, level)

    return {**vars(builtins), "__import__": import_visible}


def _leave_if_wide(name: str, *_: object) -> None:
    """What the interpreter imports by itself, such as the codec of an encoding: only the wide kind has it, if any."""
    if not {*_allowed, *_LAZY, "encodings"}.isdisjoint(_lineage(name)):
        os._exit(protocol.WANTS_WIDE)


def _refuse_clock(kind: type, method: str) -> None:
    """Built-in types cannot be changed from Python, so this takes the dict behind the view that `vars` gives."""

    def refuse(*_: object) -> NoReturn:
        raise RuntimeError(f"{kind.__name__}.{method}() reads the clock, which is not available to programs")

    (namespace,) = gc.get_referents(vars(kind))
    namespace[method] = staticmethod(refuse)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
