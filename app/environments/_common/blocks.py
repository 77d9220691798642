"""Cutting a model's reply into fenced blocks, as tolerantly as can be done without guessing.

Read as fences: ``` and ~~~ of three or more, indented, with attributes after the language (```python title="x",
```{.python}), on one line (```input 1, 2```), with any line ends, and unclosed at the end of the reply. A line that
opens a block of a known language also closes the one before it, unless its fence is shorter, which is what a forgotten
fence looks like; inside an open triple-quoted string neither counts, since docstrings quote fences too. A whole reply
wrapped in a ````markdown block is read as if it stood alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from textwrap import dedent
from typing import NamedTuple

_LANGUAGES = {
    "python": "python",
    "python3": "python",
    "py": "python",
    "input": "input",
    "inputs": "input",
    "output": "output",
    "outputs": "output",
    "message": "message",
}
_LONGEST_STRING = 500  # lines of a string, behind a fence in it, within which its end is looked for
_WRAPPERS = frozenset({"markdown", "md"})
# All are linear, whatever a model wrote: what is possessive (*+) is never tried again with less.
_OPENING = re.compile(r"(?P<indent>[ \t]*+)(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`]*+)")
_ONE_LINE = re.compile(r"[ \t]*+(?P<fence>`{3,}+)(?P<language>\w++)[ \t]++(?P<text>.+)(?P=fence)")
_FENCE_LINE = re.compile(r"^[ \t]*+(?P<fence>`{3,}+|~{3,}+)(?P<rest>.*+)$", re.MULTILINE)
_LANGUAGE = re.compile(r"\{?\s*\.?([A-Za-z0-9_+-]*)")
_LINE_END = re.compile(r"\r\n?|\n")
# What a model thought before it answered, where its server did not split it off.
_REASONING_END = re.compile(r"</(?:think|thinking|thought|reasoning)>|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_REASONING_START = re.compile(r"\s*+<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


class Block(NamedTuple):
    """One fenced block; `language` is one of python, input, output, message, another word, or empty."""

    language: str
    text: str


def without_reasoning(reply: str) -> str:
    """The answer after the reasoning; empty where the reply was cut while thinking.

    Some servers leave out what begins the reasoning: then its end counts at the begin of a line or outside of fenced
    blocks, whose code may well speak of such marks.
    """
    if "</" not in reply and "<|" not in reply:  # nothing ends any reasoning: told at once for nearly all long replies
        return "" if _REASONING_START.match(reply) else reply
    answer = seen = 0
    fence = ""
    thinking = _REASONING_START.match(reply) is not None
    for end in _REASONING_END.finditer(reply):
        if not thinking:
            if answer:
                break
            fence, seen = _open_fence(reply, seen, end.start(), fence), end.start()
            if fence and reply[max(0, end.start() - 1)] not in "\r\n":
                continue
        answer = end.end()
        thinking = _REASONING_START.match(reply, answer) is not None
    return "" if thinking else reply[answer:]


def _open_fence(reply: str, start: int, end: int, fence: str) -> str:
    """The fence that is open at `end`, where `fence` is at `start`; empty for none."""
    for line in _FENCE_LINE.finditer(reply, start, end):
        if not fence:
            fence = "" if line["fence"] in line["rest"] else line["fence"]
        elif line["fence"].startswith(fence) and not line["rest"].strip():
            fence = ""
    return fence


def blocks(reply: str) -> list[Block]:
    """The fenced blocks of a reply in order, reasoning left out."""
    answer = without_reasoning(reply)
    return _blocks(_LINE_END.split(answer) if "\r" in answer else answer.split("\n"), unwrap=True)


def _blocks(lines: list[str], *, unwrap: bool) -> list[Block]:
    found: list[Block] = []
    # Hardly any line of a reply is a fence, and every line of every reply is looked at: here, and once.
    fences = [at for at, line in enumerate(lines) if "```" in line or "~~~" in line]
    after = 0
    for number, at in enumerate(fences):
        if at < after:
            continue
        if one := _one_line(lines[at]):
            found.append(Block(_language(one["language"]), one["text"].rstrip(" \t")))
        elif opening := _OPENING.fullmatch(lines[at]):
            later = (fences[other] for other in range(number + 1, len(fences)))
            end, after = _end(lines, at + 1, later, opening["fence"])
            language = _language(opening["info"])
            if unwrap and language in _WRAPPERS:
                found += _blocks(lines[at + 1 : end], unwrap=False)
            else:
                found.append(Block(language, _text(lines[at + 1 : end], opening["indent"])))
    return found


def last(reply: str, language: str) -> str | None:
    """The last block of `language`, else the last one without any language, else None."""
    found = blocks(reply)
    for wanted in (language, ""):
        texts = [block.text for block in found if block.language == wanted and block.text]
        if texts:
            return texts[-1]
    return None


def _end(lines: list[str], start: int, fences: Iterable[int], fence: str) -> tuple[int, int]:
    """Where the block that starts at `start` ends, and where reading goes on: the first fence outside a string.

    Without one outside a string the first fence of all ends it, else the reply's end. `fences` are the lines
    from `start` on that may be some.
    """
    closing = _closing(fence)
    first: tuple[int, int] | None = None
    counted, double, single = start, 0, 0
    for at in fences:
        if first and at > first[0] + _LONGEST_STRING:
            break
        closes = closing.fullmatch(lines[at]) is not None
        if closes or _opens_known(lines[at], fence):
            passed = "\n".join(lines[counted:at])
            double += passed.count('"""')
            single += passed.count("'''")
            counted = at
            end = (at, at + closes)
            if double % 2 == single % 2 == 0:
                return end
            first = first or end
    return first or (len(lines), len(lines))


@lru_cache(maxsize=16)
def _closing(fence: str) -> re.Pattern[str]:
    return re.compile(rf"[ \t]*+{fence[0]}{{{len(fence)},}}+[ \t]*+")


def _one_line(line: str) -> re.Match[str] | None:
    found = _ONE_LINE.fullmatch(line.rstrip(" \t")) if line.count("```") > 1 else None
    return found if found and found["text"].strip() else None


def _opens_known(line: str, fence: str) -> bool:
    opening = _one_line(line) or _OPENING.fullmatch(line)
    if opening is None or not opening["fence"].startswith(fence):
        return False
    groups = opening.groupdict()
    return _language(groups.get("language") or groups.get("info") or "") in _LANGUAGES


def _language(info: str) -> str:
    if info in _LANGUAGES:
        return _LANGUAGES[info]
    word = _LANGUAGE.match(info.strip())
    name = word[1].lower() if word else ""
    return _LANGUAGES.get(name, name)


def _text(lines: list[str], indent: str) -> str:
    """The block's lines without the indentation of their fence, or their common one, and blank lines around them."""
    if indent:
        lines = [line.removeprefix(indent) for line in lines]
    text = "\n".join(lines).strip("\n").rstrip()
    return dedent(text) if text[:1] in (" ", "\t") else text
