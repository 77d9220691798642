"""What a problem shares with a benchmark's: stretches of 13 words, as GPT-3 and others after it have counted them.

Words are letters, digits and underscores, whatever their case; punctuation and layout do not count. A text of 8 to 12
words is compared as a whole, a shorter one not at all. Stretches that hardly tell anything (mostly numbers, or a few
words again and again) are passed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

LONGEST = 13
SHORTEST = 8
COMMON = 10  # items of one set with the same stretch, above which it is a phrase of the set rather than of an item
CODE_SIMILARITY = 0.8  # from which a program counts as that of an item
CODE_WIDTH = 4  # values in a band: two as similar as that share one all but certainly (1 - (1 - 0.8^4)^32)
CODE_SIZE = 12  # shingles that both must have for that: every short function resembles some other
_TELLING = 6  # different words, no numbers, that a stretch must have
_PASSAGE = 600  # characters of what is shown
_WORD = re.compile(r"\w+")


def item_grams(texts: Sequence[str]) -> set[int]:
    """The stretches of an item's texts."""
    found: set[int] = set()
    for text in texts:
        words = _words(text)
        if len(words) >= SHORTEST:
            found.update(number for _, number in _grams(words, min(len(words), LONGEST)))
    return found


def variant_grams(texts: Sequence[str]) -> set[int]:
    """All stretches of 8 to 13 words, since an item may be that short. Numbers differ for other lengths."""
    found: set[int] = set()
    for text in texts:
        words = _words(text)
        for length in range(SHORTEST, LONGEST + 1):
            found.update(number for _, number in _grams(words, length))
    return found


def shared_passage(texts: Sequence[str], grams: set[int]) -> str:
    """The longest piece of `texts` that consists of the stretches `grams`, as it is written there; "" for none."""
    best = ""
    for text in texts:
        spans = [match.span() for match in _WORD.finditer(text)]
        words = _words(text)
        covered = [False] * len(words)
        for length in range(SHORTEST, LONGEST + 1):
            for at, number in _grams(words, length):
                if number in grams:
                    covered[at : at + length] = [True] * length
        edges = [at for at, (a, b) in enumerate(pairwise([False, *covered, False])) if a != b]
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            best = max(best, text[spans[first][0] : spans[end - 1][1]], key=len)
    return best if len(best) <= _PASSAGE else best[:_PASSAGE].rsplit(" ", 1)[0] + " …"


def _words(text: str) -> list[str]:
    return [match.group().casefold() for match in _WORD.finditer(text)]


def _grams(words: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    """(place, number) of every stretch that tells something."""
    for at in range(len(words) - length + 1):
        stretch = words[at : at + length]
        if len({word for word in stretch if not word.isdecimal()}) >= _TELLING:
            content = f"{length} {' '.join(stretch)}".encode("utf-8", "surrogatepass")
            yield at, int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)
