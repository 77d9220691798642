"""Terms: expressions with the values that they have on every pair shown."""

from __future__ import annotations

import marshal
import re
from typing import Any, NamedTuple

from app.engines._procedural.solving.vocabulary import KINDS

_LARGEST = 10**9
_LONGEST = 80
_NESTED = 400  # items times the length of the first


class Term(NamedTuple):
    """`made` is code over `a`, `b` and `c`, with the terms that stand in their places.

    `cover` holds the words of the message that led to it.
    """

    values: list[Any]
    made: tuple[str, tuple[Term, ...]]
    size: int
    kind: str
    cover: frozenset[str]

    @property
    def code(self) -> str:
        code, operands = self.made
        if not operands:
            return code
        codes = dict(zip("abc", (_enclosed(operand.code) for operand in operands), strict=False))
        return re.sub(r"\b[abc]\b(?!')", lambda name: codes[name[0]], code)


def leaf(values: list[Any], code: str, cover: frozenset[str] = frozenset()) -> Term:
    return Term(values, (code, ()), 1, kind_of(values), cover)


def kind_of(values: list[Any]) -> str:
    """The letter of the values' common kind, else `?`."""
    kinds = {KINDS.get(type(value), "?") for value in values}
    return kinds.pop() if len(kinds) == 1 else "?"


def key(values: list[Any]) -> bytes:
    """Equal for equal values of equal types."""
    return marshal.dumps(values, 2)


def handy(value: Any) -> bool:
    """Whether a value is small enough to keep in mind."""
    kind = type(value)
    if kind is int:
        return bool(-_LARGEST < value < _LARGEST)
    if kind is str or kind is bytes:
        return len(value) <= _LONGEST
    if kind is list or kind is tuple:
        nested = value and type(value[0]) in (str, list, tuple)
        return len(value) <= _LONGEST and not (nested and len(value) * len(value[0]) > _NESTED)
    return True


def _enclosed(code: str) -> str:
    return code if code.isidentifier() else f"({code})"
