"""When two values are the same: the one comparison behind every verdict.

Stricter than `==`, and never running anybody's code: types must agree exactly (True is not 1, 1 is not 1.0), NaN is the
same as NaN, -0.0 is not 0.0 (programs can tell them apart, by repr and by copysign), sets are unordered, dicts are
mappings whose order does not count.
"""

from __future__ import annotations

from typing import Any

from app.domain.values.codec import Unsupported, dumps
from app.domain.values.types import Value

_SCALARS = frozenset({type(None), bool, int, str, bytes})


def same(a: Value, b: Value) -> bool:
    """Whether `a` and `b` are the same value. Raises Unsupported where both are of one type that is no value's."""
    kind = type(a)
    return kind is type(b) and _same(kind, a, b)


def _same(kind: type, a: Any, b: Any) -> bool:
    if kind in _SCALARS:
        return bool(a == b)
    if kind is float or kind is complex:
        return repr(a) == repr(b)
    if kind is list or kind is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if kind is dict:
        return len(a) == len(b) and all(map(_same_item, _by_key(a), _by_key(b)))
    if kind is set or kind is frozenset:
        return len(a) == len(b) and sorted(map(dumps, a)) == sorted(map(dumps, b))
    raise Unsupported(f"{kind.__name__} is not a plain value")


def _by_key(mapping: dict[Value, Value]) -> list[tuple[str, Value]]:
    """Items in the order of their keys' exact text; several NaN keys stay in the order of insertion."""
    return sorted(((dumps(key), value) for key, value in mapping.items()), key=lambda item: item[0])


def _same_item(a: tuple[str, Value], b: tuple[str, Value]) -> bool:
    return a[0] == b[0] and same(a[1], b[1])
