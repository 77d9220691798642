"""One line that tells problems apart in a list: the teacher gives them no titles."""

from __future__ import annotations

import json
import re
from functools import lru_cache

LONGEST = 96
_COMMON_WORDS = 3
_SENTENCE = re.compile(r".*?[.!?:;](?=\s|$)", re.DOTALL)
_FUNCTION = re.compile(
    r"^def f\((.*?)\)[^\n:]*:(?:\s*[rR]?(\"\"\"|''')\s*(.+?)\s*(?:\n|\2))?", re.DOTALL | re.MULTILINE
)


_RETURN = re.compile(r"^\s+return (.+)$", re.MULTILINE)


@lru_cache(maxsize=4_096)
def headline(problem: str | None) -> str:
    """The first sentence of the message, else that of `f`'s docstring, else how `f` is called and what it returns.

    `problem` is the text of app.domain.problem_codec, whose values are not decoded; '' for none.
    """
    if not problem:
        return ""
    parts = json.loads(problem)
    if message := str(parts.get("message", "")).strip():
        return _first_sentence(message)
    found = _FUNCTION.search(parts["program"])
    if not found:
        return ""
    arguments, _, docstring = found.groups()
    if docstring:
        return _first_sentence(docstring)
    body = parts["program"][found.end() :].split("\ndef ")[0]
    returned = _RETURN.findall(body)
    return cut(f"f({' '.join(arguments.split())})" + (f" → {' '.join(returned[-1].split())}" if returned else ""))


def _first_sentence(text: str) -> str:
    found = _SENTENCE.match(text)
    sentence = " ".join((found.group() if found else text).split())
    return cut(sentence.rstrip(".:;"))


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def beyond(text: str, parent: str) -> str:
    """`text` without the words that it shares with its parent's beginning, where these are several."""
    words, told = text.split(), parent.split()
    common = next((i for i, (a, b) in enumerate(zip(words, told, strict=False)) if a != b), min(len(words), len(told)))
    return f"… {' '.join(words[common:])}" if _COMMON_WORDS <= common < len(words) else text
