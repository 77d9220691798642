"""Sets and dicts built from what a stranger sent, in time that stays linear.

Members with one hash make a set quadratic: 40,000 multiples of 2**61 - 1 would hold a trusted process for many
seconds. A few equal hashes are honest, since hash(-1) == hash(-2) and tuples inherit that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.domain.values.types import Value

MAX_EQUAL_HASHES = 256
# Comparing two frozensets may be quadratic itself, so that those multiply with every level of nesting.
MAX_EQUAL_FROZENSETS = 8


def hashed_set(members: Sequence[Value]) -> set[Value]:
    """Raises ValueError for colliding members, TypeError for unhashable ones."""
    _spread(members)
    return set(members)


def hashed_dict(pairs: Sequence[tuple[Value, Value]]) -> dict[Value, Value]:
    """Raises as `hashed_set`."""
    _spread([key for key, _ in pairs])
    return dict(pairs)


def _spread(members: Sequence[Value]) -> None:
    if len(members) <= MAX_EQUAL_FROZENSETS:
        return
    equal = max(Counter(map(hash, members)).values())
    if equal > MAX_EQUAL_HASHES or (equal > MAX_EQUAL_FROZENSETS and any(map(_holds_frozenset, members))):
        raise ValueError("too many members with one hash")


def _holds_frozenset(value: Value) -> bool:
    return isinstance(value, frozenset) or (isinstance(value, tuple) and any(map(_holds_frozenset, value)))
