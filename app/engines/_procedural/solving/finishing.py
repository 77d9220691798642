"""The last step to a goal where it can be read off: a constant times and plus, a text around, a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.engines._procedural.solving.terms import Term

_LARGEST_FACTOR, _LARGEST_OFFSET, _LARGEST_MASK = 100, 2_000, 64


def last_step(term: Term, goal: Sequence[Any]) -> str | None:
    """Code that makes `goal` of a term; None where no constant does it."""
    values = term.values
    kind, wanted = type(values[0]), type(goal[0])
    if any(type(value) is not kind for value in values) or any(type(value) is not wanted for value in goal):
        return None
    if kind is int and wanted is int:
        return _number(values, term, goal)
    if kind is str and wanted is str:
        return _text(values, term, goal)
    if wanted is bool and kind in (int, str):
        return _bound(values, term, goal)
    return None


def _number(values: Sequence[int], term: Term, goal: Sequence[int]) -> str | None:
    other = next((i for i, value in enumerate(values) if value != values[0]), None)
    if other is None:
        return None
    factor, rest = divmod(goal[other] - goal[0], values[other] - values[0])
    offset = goal[0] - factor * values[0]
    modest = not rest and 0 < abs(factor) < _LARGEST_FACTOR and abs(offset) < _LARGEST_OFFSET
    if modest and all(factor * value + offset == wanted for value, wanted in zip(values, goal, strict=True)):
        times = f"({term.code}) * {factor}" if factor != 1 else f"({term.code})"
        return f"{times} + {offset}" if offset >= 0 else f"{times} - {-offset}"
    mask = values[0] ^ goal[0]
    if 0 < mask < _LARGEST_MASK and all(value ^ mask == wanted for value, wanted in zip(values, goal, strict=True)):
        return f"({term.code}) ^ {mask}"
    return None


def _text(values: Sequence[str], term: Term, goal: Sequence[str]) -> str | None:
    at = goal[0].find(values[0]) if values[0] and len(set(values)) > 1 else -1
    if at < 0:
        return None
    before, after = goal[0][:at], goal[0][at + len(values[0]) :]
    if all(before + value + after == wanted for value, wanted in zip(values, goal, strict=True)):
        return " + ".join([repr(before)] * bool(before) + [f"({term.code})"] + [repr(after)] * bool(after))
    return None


def _bound(values: Sequence[Any], term: Term, goal: Sequence[Any]) -> str | None:
    true = [value for value, wanted in zip(values, goal, strict=True) if wanted]
    false = [value for value, wanted in zip(values, goal, strict=True) if not wanted]
    if not true or not false:
        return None
    if len(true) > 1 and all(value == true[0] for value in true) and true[0] not in false:
        return f"({term.code}) == {true[0]!r}"
    if type(values[0]) is int and len(values) > 3:
        if min(true) > max(false):
            return f"({term.code}) > {(min(true) + max(false)) // 2}"
        if max(true) < min(false):
            return f"({term.code}) < {(max(true) + min(false) + 1) // 2}"
    return None
