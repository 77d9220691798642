"""What one proposal is made with: the pieces and values of the seed, chance, and what the instruction asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple, TypeVar

from app.engines._procedural.kinds import kind_of
from app.engines._procedural.pieces import Piece
from app.engines._procedural.program import Program
from app.engines._procedural.running import Loaded, Result, load_pure
from app.engines._procedural.samples import Samples

T = TypeVar("T")
_FAVOUR = 6  # how much likelier a choice is that the instruction speaks of


@dataclass
class Workshop:
    samples: Samples
    pieces: Sequence[Piece]
    rng: Random
    instruction: str = ""
    fresh: Sequence[Piece] = ()  # the pieces that no program began as yet
    _words: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.fresh = self.fresh or self.pieces
        self._words = frozenset(word[:6] for word in re.findall(r"[a-z]{4,}", self.instruction.lower()))

    def choose(self, options: Sequence[T], weights: Sequence[float], texts: Sequence[str]) -> T:
        """One of `options` by weight, those whose text shares words with the instruction before others."""
        favoured = [
            weight * (_FAVOUR if self._words and any(word in text.lower() for word in self._words) else 1)
            for weight, text in zip(weights, texts, strict=True)
        ]
        return self.rng.choices(options, favoured)[0]


class Runs(NamedTuple):
    """A program with what it gave on drawn arguments; `failed` calls gave nothing."""

    source: str
    loaded: Loaded
    calls: list[tuple[tuple[object, ...], object]]
    failed: int

    @property
    def outputs(self) -> list[str]:
        return [repr(value) for _, value in self.calls]


def run(program: Program, shop: Workshop, tries: int, size: int, rng: Random | None = None) -> Runs | None:
    """Runs a program on drawn arguments; None where it does not load, or runs on too few of them."""
    try:
        source = program.source()
    except ValueError:  # f-strings with a constant for a variable cannot always be written down
        return None
    loaded = load_pure(source)
    if loaded is None:
        return None
    calls: list[tuple[tuple[object, ...], object]] = []
    failed = 0
    for attempt in range(tries):
        arguments = shop.samples.arguments(program.signature, rng or shop.rng, size)
        result: Result = loaded.call("f", arguments)
        if result.ok:
            calls.append((arguments, result.value))
        else:
            failed += 1
            if result.error == "OutOfSteps" or (attempt > 10 and failed > 4 * len(calls)):
                return None
    return Runs(source, loaded, calls, failed)


def outcome_kind(runs: Runs) -> tuple[str, list[object]]:
    """The commonest kind of outputs, with the outputs of that kind."""
    kinds = [kind_of(value) for _, value in runs.calls]
    kind = max(sorted(set(kinds)), key=kinds.count)
    return kind, [value for _, value in runs.calls if kind_of(value) == kind]


def definitions(source: str) -> dict[str, ast.FunctionDef]:
    """The functions that a source defines."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
