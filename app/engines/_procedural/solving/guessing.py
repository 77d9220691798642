"""Guesses at inputs: constants of the code, parts of the output, small and random values, and neighbours of these."""

from __future__ import annotations

import ast
from random import Random
from typing import Any

from app.engines._procedural.hints import Weights, weigh
from app.engines._procedural.kinds import kind_of

_SIZES = (0, 1, 2, 3, 4, 6)
_LETTERS = "abcdexyz AB019_-.,/"
_JOINTS = ("", " ", "_", ".", ",")


class Guesses:
    """Candidate arguments for one function. `weights` may be sharpened by what else the student reads."""

    def __init__(self, source: str, parameters: list[str], shown: object, rng: Random) -> None:
        self.rng = rng
        self.parameters = parameters
        self.weights: Weights = weigh(source, parameters)
        self._texts = [""]
        self._numbers = [0, 1, 2, 3, -1]
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant):
                self._note(node.value)
        known = len(self._texts)
        self._note(shown)
        self._texts += 2 * self._texts[known:]
        self._letters = "".join(self._texts) + _LETTERS

    def _note(self, value: object) -> None:
        """Remembers what a value is made of."""
        match value:
            case str():
                self._texts.append(value)
            case int() if not isinstance(value, bool):
                self._numbers += [value, value + 1, value - 1]
            case list() | tuple():
                for item in value:
                    self._note(item)
            case dict():
                for key, item in value.items():
                    self._note(key)
                    self._note(item)

    def kinds(self) -> tuple[str, ...]:
        """A likely signature."""
        return tuple(self.rng.choices(list(weights), list(weights.values()))[0] for weights in self.weights.values())

    def value(self, kind: str) -> object:
        rng = self.rng
        match kind:
            case "int":
                return self._number()
            case "str":
                return self._text()
            case "bytes":
                return self._text().encode("latin1", "replace")
            case "bool":
                return rng.random() < 0.5
            case "float":
                return self._number() / rng.choice([1, 2, 4])
            case "ints":
                return [self._number() for _ in range(rng.choice(_SIZES))]
            case "strs":
                return [self._text() for _ in range(rng.choice(_SIZES))]
            case "tuple":
                return tuple(self._number() for _ in range(rng.choice(_SIZES)))
            case "pairs":
                return [(self._text(), self._number()) for _ in range(rng.choice([1, 2, 3, 4]))]
            case "table":
                return {self._text(): self._number() for _ in range(rng.choice([1, 2, 3, 4]))}
        return None

    def _number(self) -> int:
        if self.rng.random() < 0.3:
            return self.rng.choice(self._numbers)
        return self.rng.choice([self.rng.randint(0, 12), self.rng.randint(-20, 100), self.rng.randint(0, 600)])

    def _text(self) -> str:
        luck = self.rng.random()
        if luck < 0.4:
            return self.rng.choice(self._texts)[:40]
        if luck < 0.6:
            return (self.rng.choice(self._texts) + self.rng.choice(_JOINTS) + self.rng.choice(self._texts))[:40]
        return "".join(self.rng.choice(self._letters) for _ in range(self.rng.choice([1, 2, 3, 5, 8, 12])))

    def near(self, value: object) -> object:
        """A neighbour of a value."""
        rng = self.rng
        match value:
            case bool():
                return not value
            case int():
                return value + rng.choice([-1, 1, -2, 2, 10, -10, 7, 100, -100, value])
            case str():
                i = rng.randint(0, len(value))
                letter = rng.choice(self._letters)
                put, rest = rng.choice([(letter, i), ("", i + 1), (letter, i + 1), (rng.choice(self._texts), i)])
                return (value[:i] + put + value[rest:])[:60]
            case list() | tuple():
                items = self._near_items(list(value))
                return items if isinstance(value, list) else tuple(items)
            case dict():
                return {**value, self._text(): self._number()}
        return value

    def _near_items(self, items: list[object]) -> list[object]:
        i = self.rng.randrange(len(items) + 1)
        if i < len(items) and self.rng.random() < 0.6:
            items[i] = self.near(items[i])
        elif items and self.rng.random() < 0.5:
            del items[min(i, len(items) - 1)]
        else:
            kind = kind_of(items[0]) if items else ""
            items.insert(i, self.value(kind if kind in ("str", "int") else self.rng.choice(["int", "str"])))
        return items


def alike(a: Any, b: Any) -> float:
    """How similar two outputs are, 0 to 1: what a search climbs by."""
    if type(a) is not type(b):
        return 0.0
    if isinstance(a, int | float) and not isinstance(a, bool):
        return float(1 / (1 + abs(a - b) / 8))
    if not isinstance(a, str | bytes | list | tuple):
        return 1.0 if a == b else 0.1
    nested = isinstance(a, list | tuple)
    places = [1.0 if x == y else 0.5 * alike(x, y) * nested for x, y in zip(a, b, strict=False)]
    longest = max(len(a), len(b)) or 1
    return 0.1 + 0.25 * (1 - abs(len(a) - len(b)) / longest) + 0.65 * sum(places) / longest


def parameters_of(source: str, function: str) -> list[str]:
    """The positional parameters of a function that a source defines; empty where it has none or is not there."""
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return []
