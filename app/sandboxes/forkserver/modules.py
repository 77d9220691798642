"""The part of the standard library that programs may import: the pure part, imported once, before the wall goes up.

No file can be read inside, so that what is not imported here does not exist there. Clocks, the operating system, files,
processes and the network are left out on purpose: a problem that needs them has no fixed answer.
"""

from __future__ import annotations

import builtins
import codecs
import contextlib
import ctypes
import datetime
import gc
import hashlib
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

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
# Imported only when first used, by the modules above or by the interpreter itself, which takes `_pylong` for huge
# integers; which there are depends on the version of Python.
_LAZY = (
    *("_strptime", "atexit", "_suggestions", "annotationlib", "html.entities", "string.templatelib"),
    *("_pylong", "_ast_unparse", "codeop"),
    *("_md5", "_sha1", "_sha2", "_sha256", "_sha512", "_sha3", "_blake2"),
)
_CLOCK_READERS = ((datetime.date, "today"), (datetime.datetime, "now"), (datetime.datetime, "utcnow"))
_ENCODINGS = (
    *("ascii", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
    *("utf-7", "cp1252", "cp437", "iso8859-15", "unicode-escape", "raw-unicode-escape", "punycode", "idna"),
    *("rot13", "hex", "base64"),
)


def import_all(preload: Sequence[str], path: Sequence[str]) -> None:
    """`path` is where `preload` may be found, and is forgotten afterwards. Raises ImportError."""
    for name in ALLOWED:
        importlib.import_module(name)
    for name in _LAZY:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for name in _ENCODINGS:
        codecs.lookup(name)
    hashlib.sha256()  # OpenSSL reads its configuration at first use
    for kind, method in _CLOCK_READERS:
        _refuse_clock(kind, method)
    known = sys.path[:]
    sys.path[:0] = path
    for name in preload:
        importlib.import_module(name)
    sys.path[:] = known


def close_imports(preload: Sequence[str]) -> dict[str, Any]:
    """Ends importing from files, here and in children; gives the built-ins that programs see."""
    sys.meta_path.clear()
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
            raise ModuleNotFoundError(f"the module {name!r} is not available to programs", name=name)
        return really_import(name, globals, locals, fromlist, level)

    return {**vars(builtins), "__import__": import_visible}


def _refuse_clock(kind: type, method: str) -> None:
    """Built-in types cannot be changed from Python, so this takes the dict behind the view that `vars` gives."""

    def refuse(*_: object) -> NoReturn:
        raise RuntimeError(f"{kind.__name__}.{method}() reads the clock, which is not available to programs")

    (namespace,) = gc.get_referents(vars(kind))
    namespace[method] = staticmethod(refuse)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _lineage(module: str) -> list[str]:
    """`a.b.c` -> `a`, `a.b`, `a.b.c`."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
