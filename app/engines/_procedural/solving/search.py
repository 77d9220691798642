"""A bottom-up search for an expression: terms are built of terms until one has the wanted value on every pair."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from app.engines._procedural.solving.finishing import last_step
from app.engines._procedural.solving.terms import Term, handy, key, kind_of
from app.engines._procedural.solving.vocabulary import KINDS, Idea, binary, reminders, unary

_REMINDED = 12  # how much likelier an operation is for each of its words in the text
_FORGETS, _FORGETS_REMINDED = 0.25, 0.08  # the chance that an attempt does not think of an operation at all
_NOTICES = 0.75  # the chance that an attempt sees a last step that can be read off
_LARGEST_SIZE = 9
_CASES = 12
_ONCE = 0.8  # how often a literal reading refuses to use a word twice
_TELLING = 12


class _Choice(NamedTuple):
    """Ideas with their cumulative weights and the words that remind of each."""

    ideas: list[Idea]
    weights: list[float]
    words: list[frozenset[str]]

    def draw(self, rng: Random) -> int:
        return bisect(self.weights, rng.random() * self.weights[-1], 0, len(self.ideas) - 1)


class Search:
    """`start` are the terms that it builds on. With `literal`, only ideas that the text reminds of are used."""

    def __init__(
        self, text: str, start: Sequence[Term], goal: list[Any], rng: Random, *, literal: bool = False
    ) -> None:
        self._rng = rng
        self._literal = literal
        self._goal = goal
        self._goal_key = key(goal)
        self._seen: set[bytes] = set()
        self._start = list(start)
        self.terms: list[Term] = []
        self._led: list[Term] = []  # what the text led to
        self._telling: list[Term] = []  # in a literal reading: what says most of the text
        self._partial: list[tuple[list[bool], Term]] = []  # right on some pairs
        self._tests: list[Term] = []
        self._notices = rng.random() < _NOTICES
        self._slots = _slots(goal)
        self._filled: dict[int, Term] = {}
        self._unary = {kinds: self._choice(ideas, text, kinds, literal) for kinds, ideas in unary().items()}
        self._binary = {kinds: self._choice(ideas, text, kinds, literal) for kinds, ideas in binary().items()}

    def _choice(self, ideas: list[Idea], text: str, kinds: str, literal: bool) -> _Choice | None:
        """What this attempt thinks of."""
        kept, weights, words = [], [], []
        for idea, reminding in zip(ideas, reminders(text, kinds), strict=True):
            if literal and not reminding:
                continue
            if self._rng.random() >= (_FORGETS_REMINDED if reminding else _FORGETS):
                kept.append(idea)
                weights.append(1.0 + _REMINDED * len(reminding))
                words.append(reminding)
        return _Choice(kept, list(accumulate(weights)), words) if kept else None

    def run(self, tries: int) -> str | None:
        """The code of an expression that fits, or None after so many tries."""
        for term in self._start:
            found = self._add(term, led=True)
            if found:
                return found
        for turn in range(tries):
            if self._literal and turn in (tries // 3, 2 * tries // 3):
                self._telling = sorted(self.terms, key=lambda term: (-len(term.cover), term.size))[:_TELLING]
            try:
                found = self._step()
            except Exception:  # noqa: BLE001, S112  (an operation that does not suit the values: the next try)
                continue
            if found:
                return found
        return None

    def _step(self) -> str | None:
        """Applies one idea to terms found before."""
        luck = self._rng.random()
        a = self._draw()
        if luck < 0.4:
            choice = self._unary.get(a.kind)
            if not choice:
                return None
            i = choice.draw(self._rng)
            if self._repeats(choice.words[i], a.cover, frozenset()):
                return None
            idea = choice.ideas[i]
            values = [idea.apply(value) for value in a.values]
            return self._new(values, idea.code, (a,), choice.words[i])
        if luck < 0.9:
            b = self._rng.choice(self._start) if self._rng.random() < 0.4 else self._draw()
            choice = self._binary.get(a.kind + b.kind) if self._rng.random() < 0.9 else self._binary["??"]
            if not choice or a.size + b.size > _LARGEST_SIZE:
                return None
            i = choice.draw(self._rng)
            if self._repeats(choice.words[i], a.cover, b.cover):
                return None
            idea = choice.ideas[i]
            values = [idea.apply(x, y) for x, y in zip(a.values, b.values, strict=True)]
            return self._new(values, idea.code, (a, b), choice.words[i])
        return self._on_each(a)

    def _on_each(self, a: Term) -> str | None:
        """One idea on each item of a list."""
        if a.kind != "l":
            return None
        item = next(item for value in a.values for item in value)
        choice = self._unary.get(KINDS.get(type(item), "?"))
        if not choice:
            return None
        i = choice.draw(self._rng)
        idea = choice.ideas[i]
        values: list[Any] = [[idea.apply(item) for item in value] for value in a.values]
        return self._new(values, f"[{idea.on('z')} for z in a]", (a,), choice.words[i])

    def _repeats(self, words: frozenset[str], a: frozenset[str], b: frozenset[str]) -> bool:
        """Whether a literal reading would use the same words or constants of the text twice; now and then it may."""
        again = self._literal and (words <= a | b or not a.isdisjoint(b))
        return again and self._rng.random() < _ONCE

    def _draw(self) -> Term:
        """A term, rather an early one, rather one that the text led to."""
        if self._telling and self._rng.random() < 0.6:
            return self._rng.choice(self._telling)
        terms = self._led if self._led and self._rng.random() < 0.55 else self.terms
        return terms[int(len(terms) * self._rng.random() ** 1.6)]

    def _new(self, values: list[Any], code: str, operands: tuple[Term, ...], words: frozenset[str]) -> str | None:
        cover = words.union(*(operand.cover for operand in operands))
        size = 1 + sum(operand.size for operand in operands)
        return self._add(Term(values, (code, operands), size, "", cover), led=bool(words))

    def _add(self, term: Term, *, led: bool) -> str | None:
        """Remembers a term with new values; the code for the goal, if it leads there."""
        if not all(map(handy, term.values)):
            return None
        its_key = key(term.values)
        if its_key in self._seen or len(its_key) > 3_000:
            return None
        self._seen.add(its_key)
        if its_key == self._goal_key:
            return term.code
        whole = self._fill(its_key, term)
        if whole:
            return whole
        term = term._replace(kind=kind_of(term.values))
        if self._notices and term.kind in "iso":
            found = last_step(term, self._goal)
            if found:
                return found
        self.terms.append(term)
        if led:
            self._led.append(term)
        if term.kind == "o":
            self._tests.append(term)
        right = [
            value == goal and type(value) is type(goal) for value, goal in zip(term.values, self._goal, strict=True)
        ]
        if any(right):
            self._partial.append((right, term))
        return None

    def _fill(self, its_key: bytes, term: Term) -> str | None:
        """For goals that are tuples or lists of one length: finds their places one by one."""
        if not self._slots:
            return None
        for place in self._slots.get(its_key, ()):
            self._filled[place] = term
        if len(self._filled) < len(self._goal[0]):
            return None
        parts = ", ".join(self._filled[place].code for place in sorted(self._filled))
        return f"({parts},)" if type(self._goal[0]) is tuple else f"[{parts}]"

    def where(self, before: Sequence[Term]) -> str | None:
        """Adds what a term gives where a test holds, and one from before where it does not."""
        changed = [term for term in self._led if term.cover and term.kind != "o"][:_CASES]
        for test in self._tests[:_CASES]:
            for other in before:
                for term in changed:
                    values = [a if t else b for a, t, b in zip(term.values, test.values, other.values, strict=True)]
                    found = self._new(values, "a if b else c", (term, test, other), frozenset({"where"}))
                    if found:
                        return found
        return None

    def by_cases(self) -> str | None:
        """Two partial answers and a test that tells where each holds."""
        for right, term in self._partial[:40]:
            for test in self._tests[:60]:
                truths = test.values
                if all(truths) or not any(truths) or any(t and not r for t, r in zip(truths, right, strict=True)):
                    continue
                for other_right, other in self._partial[:40]:
                    if all(t or r for t, r in zip(truths, other_right, strict=True)):
                        return f"({term.code}) if {test.code} else ({other.code})"
        return None


def _slots(goal: list[Any]) -> dict[bytes, list[int]]:
    """The values wanted at each place, where all goals are tuples or lists of one length from 1 to 4."""
    if len({(type(value), len(value)) for value in goal if isinstance(value, list | tuple)}) != 1:
        return {}
    if not all(isinstance(value, list | tuple) for value in goal) or not 1 <= len(goal[0]) <= 4:
        return {}
    slots: dict[bytes, list[int]] = {}
    for place in range(len(goal[0])):
        slots.setdefault(key([value[place] for value in goal]), []).append(place)
    return slots
