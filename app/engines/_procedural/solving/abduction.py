"""Abduction: guesses inputs and climbs from those whose outputs come near, within a number of tries."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from app.domain.fences import fenced
from app.domain.values import Unsupported, render, same
from app.engines._procedural.running import Loaded
from app.engines._procedural.solving.effort import effort
from app.engines._procedural.solving.guessing import Guesses, alike, parameters_of

_TRIES = 60  # at budget 1
_SPREAD = 1.2
_CLIMB = 0.55
_WORTH = 0.05  # likeness from which climbing is worth it


def attempt(view: Mapping[str, object], rng: Random, budget: float) -> str:
    """`view` holds `program` and `output`."""
    source = str(view["program"])
    try:
        answer = search(source, view["output"], rng, max(1, int(_TRIES * budget * effort(rng, _SPREAD))))
    except Exception:  # noqa: BLE001  (a program that does not even load has no solution to find)
        return ""
    if answer is None:
        return ""
    try:
        return fenced(", ".join(map(render, answer)), "input")
    except Unsupported:
        return ""


def search(source: str, output: object, rng: Random, tries: int) -> tuple[object, ...] | None:
    """Arguments under which f gives `output`, else the nearest that were found."""
    loaded = Loaded(source)
    guesses = Guesses(source, parameters_of(source, "f"), output, rng)
    best: tuple[object, ...] | None = None
    likeness = -1.0
    signatures: list[tuple[str, ...]] = []  # those that ran
    for _ in range(tries):
        signature: tuple[str, ...] | None = None
        if best and likeness > _WORTH and rng.random() < _CLIMB:
            place = rng.randrange(len(best))
            arguments = (*best[:place], guesses.near(best[place]), *best[place + 1 :])
        else:
            signature = rng.choice(signatures) if signatures and rng.random() < 0.75 else guesses.kinds()
            arguments = tuple(map(guesses.value, signature))
        result = loaded.call("f", arguments)
        if not result.ok:
            continue
        if same(result.value, output):
            return arguments
        if signature:
            signatures.append(signature)
        near = alike(result.value, output)
        if near >= likeness:
            best, likeness = arguments, near
    return best
