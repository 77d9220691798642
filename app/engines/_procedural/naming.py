"""Names for parameters, functions and values that read like a person's."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container

from app.engines._procedural.language import is_builtin

# Reserved: the problem's own functions, and the running value of a program (see program.py).
RESERVED = frozenset({"f", "pre_test_f", "test_f", "_"})
_VERBS = re.compile(r"^(get|is|has|make|find|read|load|compute|parse|to|as|do|on|check|next)_(?=[a-z])")


def clean(name: str) -> str:
    """The name in snake case, without underscores around it, and free for use as a variable."""
    name = name.strip("_") or "x"
    if not name.islower():
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if keyword.iskeyword(name) or is_builtin(name) or name in RESERVED:
        name += "_"
    return name


def noun(name: str) -> str:
    """What a function called `name` gives back: get_width -> width."""
    return clean(_VERBS.sub("", clean(name)))


def unused(name: str, taken: Container[str]) -> str:
    """`name`, or its first numbered form that is not taken."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name.rstrip('_')}_{number}", number + 1
    return candidate


def plural(name: str) -> str:
    if name.endswith(("s", "_")):
        return f"{name.rstrip('_')}_list"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in "aeou" else f"{name}s"
