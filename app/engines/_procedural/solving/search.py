"""A bottom-up search for an expression: terms are built of terms until one has the wanted value on every pair."""

from __future__ import annotations

import marshal
import re
from bisect import bisect
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from app.engines._procedural.solving.finishing import last_step
from app.engines._procedural.solving.vocabulary import KINDS, Idea, binary, reminds, unary, words_of

_REMINDED = 12  # how much likelier an operation is for each of its words in the message
_FORGETS, _FORGETS_REMINDED = 0.2, 0.03  # the chance that an attempt does not think of an operation at all
_NOTICES = 0.75  # the chance that an attempt sees a last step that can be read off
_LARGEST = 10**9
_LONGEST = 80

Pair = tuple[tuple[object, ...], object]  # arguments and output


class _Term(NamedTuple):
    values: list[Any]  # one per pair
    code: str
    size: int
    kind: str


class _Choice(NamedTuple):
    """Ideas with their cumulative weights."""

    ideas: list[Idea]
    weights: list[float]
    reminded: list[bool]

    def draw(self, rng: Random) -> int:
        return bisect(self.weights, rng.random() * self.weights[-1], 0, len(self.ideas) - 1)


class Search:
    """One attempt: `given` are the constants that it starts from, beside the arguments."""

    def __init__(self, message: str, names: list[str], pairs: Sequence[Pair], given: list[object], rng: Random) -> None:
        self._rng = rng
        self._goal: list[Any] = [output for _, output in pairs]
        self._goal_key = _key(self._goal)
        self._seen: set[bytes] = set()
        self._bank: list[_Term] = []
        self._core: list[_Term] = []  # what operations of the message gave
        self._partial: list[tuple[list[bool], str]] = []  # right on some pairs
        self._tests: list[_Term] = []
        self._notices = rng.random() < _NOTICES
        self._slots = _slots(self._goal)
        self._filled: dict[int, str] = {}
        self._unary = {kinds: self._choice(ideas, message, kinds) for kinds, ideas in unary().items()}
        self._binary = {kinds: self._choice(ideas, message, kinds) for kinds, ideas in binary().items()}
        self._given = [(name, [arguments[i] for arguments, _ in pairs]) for i, name in enumerate(names)]
        self._given += [(repr(constant), [constant] * len(pairs)) for constant in given]

    def _choice(self, ideas: list[Idea], message: str, kinds: str) -> _Choice:
        """What this attempt thinks of."""
        kept, weights, reminded = [], [], []
        for idea, count in zip(ideas, _reminders(message, kinds), strict=True):
            if self._rng.random() >= (_FORGETS_REMINDED if count else _FORGETS):
                kept.append(idea)
                weights.append(1.0 + _REMINDED * count)
                reminded.append(count > 0)
        return _Choice(kept, list(accumulate(weights)), reminded)

    def run(self, tries: int) -> str | None:
        """The code of an expression that fits, or None after so many tries."""
        for code, values in self._given:
            found = self._add(values, code, 1, core=True)
            if found:
                return found
        for _ in range(tries):
            try:
                found = self._step()
            except Exception:  # noqa: BLE001, S112  (an operation that does not suit the values: the next try)
                continue
            if found:
                return found
        return self._by_cases()

    def _step(self) -> str | None:
        """Applies one idea to terms found before."""
        luck = self._rng.random()
        a = self._draw()
        if luck < 0.4:
            choice = self._unary.get(a.kind)
            if not choice or not choice.ideas:
                return None
            i = choice.draw(self._rng)
            idea = choice.ideas[i]
            values = [idea.apply(value) for value in a.values]
            return self._add(values, _filled_in(idea.code, a.code), a.size + 1, core=choice.reminded[i])
        if luck < 0.9:
            b = self._draw()
            choice = self._binary.get(a.kind + b.kind) if self._rng.random() < 0.9 else self._binary["??"]
            if not choice or not choice.ideas or a.size + b.size > 9:
                return None
            i = choice.draw(self._rng)
            idea = choice.ideas[i]
            values = [idea.apply(x, y) for x, y in zip(a.values, b.values, strict=True)]
            code = _filled_in(idea.code, a.code, b.code)
            return self._add(values, code, a.size + b.size + 1, core=choice.reminded[i])
        return self._on_each(a)

    def _on_each(self, a: _Term) -> str | None:
        """One idea on each item of a list."""
        if a.kind != "l":
            return None
        item = next(item for value in a.values for item in value)
        choice = self._unary.get(KINDS.get(type(item), "?"))
        if not choice or not choice.ideas:
            return None
        i = choice.draw(self._rng)
        idea = choice.ideas[i]
        values: list[Any] = [[idea.apply(item) for item in value] for value in a.values]
        code = f"[{_filled_in(idea.code, 'z')} for z in {a.code}]"
        return self._add(values, code, a.size + 2, core=choice.reminded[i])

    def _draw(self) -> _Term:
        """A term, rather an early one, rather one that the message led to."""
        terms = self._core if self._core and self._rng.random() < 0.55 else self._bank
        return terms[int(len(terms) * self._rng.random() ** 1.6)]

    def _add(self, values: list[object], code: str, size: int, *, core: bool) -> str | None:
        """Remembers new values; the code of the goal, if they lead to it."""
        if not all(map(_handy, values)):
            return None
        key = _key(values)
        if key in self._seen or len(key) > 3_000:
            return None
        self._seen.add(key)
        if key == self._goal_key:
            return code
        whole = self._fill(key, code)
        if whole:
            return whole
        kinds = {KINDS.get(type(value), "?") for value in values}
        kind = kinds.pop() if len(kinds) == 1 else "?"
        if self._notices and kind in "iso":
            found = last_step(values, code, self._goal)
            if found:
                return found
        term = _Term(values, code, size, kind)
        self._bank.append(term)
        if core:
            self._core.append(term)
        if kind == "o":
            self._tests.append(term)
        right = [
            value == wanted and type(value) is type(wanted) for value, wanted in zip(values, self._goal, strict=True)
        ]
        if any(right):
            self._partial.append((right, code))
        return None

    def _fill(self, key: bytes, code: str) -> str | None:
        """For goals that are tuples or lists of one length: finds their places one by one."""
        for place in self._slots.get(key, ()):
            self._filled[place] = code
        if not self._slots or len(self._filled) < len(self._goal[0]):
            return None
        parts = ", ".join(self._filled[place] for place in sorted(self._filled))
        return f"({parts},)" if type(self._goal[0]) is tuple else f"[{parts}]"

    def _by_cases(self) -> str | None:
        """Two partial answers and a test that tells where each holds."""
        for right, code in self._partial[:40]:
            for test in self._tests[:60]:
                truths = [bool(value) for value in test.values]
                if all(truths) or not any(truths) or any(t and not r for t, r in zip(truths, right, strict=True)):
                    continue
                for other_right, other in self._partial[:40]:
                    if all(t or r for t, r in zip(truths, other_right, strict=True)):
                        return f"({code}) if {test.code} else ({other})"
        return None


def _key(values: list[object]) -> bytes:
    return marshal.dumps(values, 2)


def _handy(value: object) -> bool:
    """Whether a value is small enough to keep in mind."""
    if type(value) is int:
        return -_LARGEST < value < _LARGEST
    if isinstance(value, list | tuple):
        return len(value) <= _LONGEST and not (
            value and isinstance(value[0], str | list | tuple) and len(value) * len(value[0]) > 400
        )
    return not isinstance(value, str | bytes) or len(value) <= _LONGEST


def _slots(goal: list[Any]) -> dict[bytes, list[int]]:
    """The values wanted at each place, where all goals are tuples or lists of one length from 1 to 4."""
    if len({(type(value), len(value)) for value in goal if isinstance(value, list | tuple)}) != 1:
        return {}
    if not all(isinstance(value, list | tuple) for value in goal) or not 1 <= len(goal[0]) <= 4:
        return {}
    slots: dict[bytes, list[int]] = {}
    for place in range(len(goal[0])):
        slots.setdefault(_key([value[place] for value in goal]), []).append(place)
    return slots


@lru_cache(maxsize=256)
def _reminders(message: str, kinds: str) -> list[int]:
    """How often the message reminds of each idea of these kinds."""
    ideas = unary().get(kinds) or binary().get(kinds) or []
    words = words_of(message)
    return [reminds(idea, words) for idea in ideas]


def _filled_in(code: str, a: str, b: str = "") -> str:
    """The code of an idea over the codes of terms."""
    return re.sub(r"\b[ab]\b(?!')", lambda name: _enclosed(a if name[0] == "a" else b), code)


def _enclosed(code: str) -> str:
    return code if code.isidentifier() else f"({code})"
