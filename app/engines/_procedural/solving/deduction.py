"""Deduction: works the program out step by step, with a chance of a slip at each value, and a limit to patience.

A slip changes the value that was computed, and everything after it follows from the changed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from app.domain.fences import fenced
from app.domain.values import Unsupported, render
from app.engines._procedural.running import Loaded

_SLIPS = 0.012  # chance per unit of work at budget 1
_PATIENCE = 350.0  # units of work at budget 1


class _GaveUp(BaseException):
    """Too long. No Exception, so that no code catches it by chance."""


def attempt(view: Mapping[str, object], rng: Random, budget: float) -> str:
    """`view` holds `program` and `arguments`."""
    steady = (1 - _SLIPS) ** (1 / budget)
    work = 0.0
    last: object = None

    def see(value: object) -> object:
        nonlocal work, last
        load = _load(value)
        work += load
        if work > _PATIENCE * budget:
            raise _GaveUp
        last = slip(value, rng) if rng.random() > steady**load else value
        return last

    arguments = view["arguments"]
    assert isinstance(arguments, tuple)  # noqa: S101  (what the environment presents)
    try:
        result = Loaded(str(view["program"]), observer=see).call("f", arguments)
        answer = result.value
    except _GaveUp:
        answer = last
    except Exception:  # noqa: BLE001  (a slip while the module loads may raise anything: no answer)
        return ""
    try:
        return fenced(render(answer), "output")
    except Unsupported:
        return ""


def _load(value: object) -> float:
    """How much there is to keep in mind: 1 for a step, more for a long value."""
    if isinstance(value, str | bytes | list | tuple | dict | set):
        return 1 + min(len(value), 60) / 8
    return 1 + len(str(value)) / 4 if type(value) is int and abs(value) < 10**60 else 1.0


def slip(value: Any, rng: Random) -> object:
    """A near miss of a value."""
    match value:
        case bool():
            return not value
        case int():
            return value + rng.choice([-1, 1, 1, 2, -10, 10])
        case float():
            return value + rng.choice([-1, 0.5, 1])
        case str() if value:
            i = rng.randrange(len(value))
            here, after = value[i : i + 1], value[i + 1 : i + 2]
            return value[:i] + rng.choice([after, here + here + after, after + here]) + value[i + 2 :]
        case bytes():
            return str(slip(value.decode("latin1"), rng)).encode("latin1")
        case list() | tuple() if value:
            items = list(value)
            i = rng.randrange(len(items))
            luck = rng.random()
            if luck < 0.3:
                del items[i]
            elif luck < 0.8:
                items[i] = slip(items[i], rng)
            else:
                items[i : i + 2] = items[i : i + 2][::-1]
            return items if isinstance(value, list) else tuple(items)
    return value
