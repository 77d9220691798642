"""One line that tells problems apart in a list: the teacher gives them no titles."""

from __future__ import annotations

import json
import re
from functools import lru_cache

LONGEST = 96
_TELLING = 24  # characters under which a sentence says too little, such as "Write f(a)."
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
        return _beginning(message)
    found = _FUNCTION.search(parts["program"])
    if not found:
        return ""
    arguments, _, docstring = found.groups()
    if docstring:
        return _beginning(docstring)
    body = parts["program"][found.end() :].split("\ndef ")[0]
    returned = _RETURN.findall(body)
    return cut(f"f({' '.join(arguments.split())})" + (f" → {' '.join(returned[-1].split())}" if returned else ""))


def _beginning(text: str) -> str:
    """The first sentence, and the next ones while that says little."""
    text = " ".join(text.split())
    found = _SENTENCE.match(text, 0)
    while found and found.end() < _TELLING and (more := _SENTENCE.match(text, found.end())):
        found = more
    return cut((text[: found.end()] if found else text).rstrip(".:;"))


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def beyond(text: str, parent: str) -> str:
    """`text` without the words that it shares with its parent's beginning, where these are several."""
    words, told = text.split(), parent.split()
    common = next((i for i, (a, b) in enumerate(zip(words, told, strict=False)) if a != b), min(len(words), len(told)))
    return f"… {' '.join(words[common:])}" if _COMMON_WORDS <= common < len(words) else text
