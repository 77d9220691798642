"""Libraries beyond the standard one, imported whole before the walls go up: the zygote's side.

A library imports much of itself only when it is first used, which is too late inside. The functions that were loaded
tell what that is.
"""

from __future__ import annotations

import contextlib
import dis
import gc
import importlib
import importlib.util
import os
import random
import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType

# Threads are refused inside; a library that tried to start some would wait for them for ever.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Parts that draw, build or test, and would bring half of the operating system's modules along.
_LEFT_OUT = frozenset({"tests", "testing", "conftest", "distutils", "f2py", "plotting", "ctypeslib", "matlib"})
_IMPORT = dis.opmap["IMPORT_NAME"]


def import_libraries(names: Sequence[str], path: Sequence[str]) -> None:
    """`path` is where they may be found, and is forgotten afterwards. Raises what they raise."""
    if not names:
        return
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    known = sys.path[:]
    sys.path[:0] = path
    for name in names:
        importlib.import_module(name)
    tried: set[str] = set()
    while found := set(_imported_later(frozenset(names))) - tried:
        tried |= found
        for name in sorted(found):
            # A part may need yet another library, or refuse to work without one: then it is not there for programs.
            with contextlib.suppress(ImportError, AttributeError):
                importlib.import_module(name)
    sys.path[:] = known


def seed(start: int) -> None:
    """Gives every generator that the libraries made for themselves a fixed start, as `random` has one."""
    for thing in gc.get_objects():
        if type(thing) is random.Random:
            thing.seed(start)
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed(start)


def _imported_later(roots: frozenset[str]) -> Iterator[str]:
    """Modules of these libraries that functions of theirs import and that are not here yet."""
    for function in gc.get_objects():
        if type(function) is not FunctionType or str(function.__module__).partition(".")[0] not in roots:
            continue
        package = str(function.__globals__.get("__package__") or "")
        for name in _names(function.__code__, package):
            parts = name.split(".")
            if parts[0] in roots and name not in sys.modules and _LEFT_OUT.isdisjoint(parts):
                yield name


def _names(code: CodeType, package: str) -> Iterator[str]:
    """What the import statements in `code` may load, also where they name a module as a package's member."""
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _names(constant, package)
    if _IMPORT not in code.co_code[::2]:
        return
    steps = list(dis.get_instructions(code))
    for level, members, step in zip(steps, steps[1:], steps[2:], strict=False):
        if step.opname != "IMPORT_NAME":
            continue
        dots = level.argval if type(level.argval) is int else 0
        try:
            name = importlib.util.resolve_name("." * dots + step.argval, package)
        except ImportError:
            continue
        yield name
        for member in members.argval or ():
            if _is_module(name, member):
                yield f"{name}.{member}"


def _is_module(package: str, member: str) -> bool:
    module = sys.modules.get(package)
    if not hasattr(module, "__path__") or member in vars(module):
        return False
    return importlib.util.find_spec(f"{package}.{member}") is not None
