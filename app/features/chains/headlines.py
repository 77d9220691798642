"""One line that tells problems apart in a list: the teacher gives them no titles."""

from __future__ import annotations

import json
import re
from functools import lru_cache

LONGEST = 96
_SENTENCE = re.compile(r".*?[.!?:;](?=\s|$)", re.DOTALL)
_FUNCTION = re.compile(
    r"^def f\((.*?)\)[^\n:]*:(?:\s*[rR]?(\"\"\"|''')\s*(.+?)\s*(?:\n|\2))?", re.DOTALL | re.MULTILINE
)


@lru_cache(maxsize=4_096)
def headline(problem: str | None) -> str:
    """The first sentence of the message, else that of `f`'s docstring, else how `f` is called; '' for no problem.

    `problem` is the text of app.domain.problem_codec; its values are not decoded.
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
    return _first_sentence(docstring) if docstring else _cut(f"f({' '.join(arguments.split())})")


def _first_sentence(text: str) -> str:
    found = _SENTENCE.match(text)
    sentence = " ".join((found.group() if found else text).split())
    return _cut(sentence.rstrip(".:;"))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
