"""Pieces for a seed of whose code little runs on its own: its words become tables to look things up in."""

from __future__ import annotations

from random import Random

from app.engines._procedural.candidates import Candidate
from app.engines._procedural.samples import Samples

_TEMPLATES = (
    "def pick_word(number):\n    words = {words}\n    return words[number % len(words)]",
    "def known_words(text):\n    known = {words}\n    return [word for word in text.split() if word in known]",
    "def mark_word(text):\n    return text.replace({letter!r}, {word!r})",
    "def word_score(text):\n    return text.count({letter!r}) + {number}",
    "def find_places(words):\n    known = {words}\n    return [known.index(word) for word in words if word in known]",
    "def tag(text, number):\n    return text + {word!r} + str(number)",
    "def longer_words(words):\n    return [word for word in words if len(word) > {length}]",
)


def word_tables(samples: Samples, rng: Random) -> list[Candidate]:
    """Small functions over words and numbers of the seed."""
    words = rng.sample(samples.words, min(8, len(samples.words)))
    word = max(words, key=len)
    number = rng.choice([number for number in samples.numbers if number > 1] or [3])
    return [
        Candidate(
            template.format(words=words, word=word, letter=word[:1], number=number, length=len(word) - 2),
            "",
            "function",
        )
        for template in _TEMPLATES
    ]
