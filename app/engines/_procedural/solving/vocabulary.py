"""What the student knows to do with values, and how the words of a message remind it of that."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from app.engines._procedural.language import FUNCTIONS
from app.engines._procedural.solving.ideas import BINARY, UNARY

KINDS: dict[type, str] = {
    str: "s", int: "i", list: "l", tuple: "l", dict: "d", bytes: "b", float: "f", bool: "o", type(None): "n",
}  # fmt: skip


class Idea(NamedTuple):
    """One operation: its code over `a` (and `b`), the same as a function, and the words that bring it to mind."""

    code: str
    apply: Callable[..., object]
    words: frozenset[str]

    def on(self, name: str) -> str:
        """The code over a variable of this name."""
        return re.sub(r"\ba\b(?!')", name, self.code)


@lru_cache(maxsize=1)
def unary() -> dict[str, list[Idea]]:
    return {kinds: _ideas(text, "a") for kinds, text in UNARY.items()}


@lru_cache(maxsize=1)
def binary() -> dict[str, list[Idea]]:
    return {kinds: _ideas(text, "a, b") for kinds, text in BINARY.items()}


@lru_cache(maxsize=512)
def reminders(text: str, kinds: str) -> list[frozenset[str]]:
    """For every idea of these kinds, its words that the text contains."""
    words = frozenset(re.findall(r"[a-z]+", text.lower()))
    ideas = unary().get(kinds) or binary().get(kinds) or []
    return [frozenset(word for word in idea.words if _occurs(word, words)) for idea in ideas]


def _occurs(word: str, words: frozenset[str]) -> bool:
    if word.endswith("*"):
        return any(other.startswith(word[:-1]) for other in words)
    return word in words


def _ideas(text: str, parameters: str) -> list[Idea]:
    known = {name: vars(builtins)[name] for name in sorted(FUNCTIONS)}
    ideas = []
    for row in text.strip().splitlines():
        code, _, words = (part.strip() for part in row.partition(" | "))
        apply = eval(f"lambda {parameters}: {code}", {"__builtins__": known})  # noqa: S307  (the table beside)
        ideas.append(Idea(code, apply, frozenset(words.split())))
    return ideas
