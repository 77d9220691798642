"""Source code and comparisons as lines of safe HTML, remembered by content.

Six classes of tokens, styled in cairn.css for both themes; the words that changed within a line are marked as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from markupsafe import Markup, escape
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token, _TokenType

_CLASSES = {
    Keyword: "k",
    Operator.Word: "k",
    String: "s",
    Number: "n",
    Keyword.Constant: "n",
    Name.Function: "f",
    Name.Class: "f",
    Name.Decorator: "f",
    Comment: "c",
}
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
# Above this many pairs of lines a replaced block is shown as it is, without looking for lines that resemble each other.
_MOST_PAIRS = 2_500
_ALIKE = 0.5

_NOTHING = Markup("")

Piece = tuple[str, str]  # class ("" for none) and text
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a comparison. Line numbers count from 1; 0 and None stand for no line on that side.

    `skipped` is the number of unchanged lines left out here; such a row has nothing else.
    """

    kind: Literal["same", "add", "del", "change"] = "same"
    old_no: int = 0
    new_no: int = 0
    old: Markup = _NOTHING
    new: Markup = _NOTHING
    skipped: int = 0


@lru_cache(maxsize=1_024)
def highlight(source: str, language: str = "python") -> tuple[Markup, ...]:
    """One piece of HTML per line, without line ends."""
    return tuple(_html(pieces, ()) for pieces in _lines(source, language))


@lru_cache(maxsize=256)
def compare(
    old: str, new: str, language: str = "python", mode: str = "unified", context: int | None = 3
) -> tuple[Row, ...]:
    """The rows of a diff, empty where the texts are the same.

    Unified: `same`, `del` and `add` rows. Split: lines that resemble each other share a `change` row.
    """
    if old == new:
        return ()
    before, after = _lines(old, language), _lines(new, language)
    old_text, new_text = _plain(before), _plain(after)
    rows: list[Row] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old_text, new_text, autojunk=False).get_opcodes():
        if tag == "equal":
            same = zip(range(i1, i2), range(j1, j2), strict=True)
            rows += [Row("same", i + 1, j + 1, _html(before[i], ()), _html(after[j], ())) for i, j in same]
            continue
        pairs = _pair(old_text, new_text, (i1, i2), (j1, j2))
        marks = {(i, j): _changed_words(old_text[i], new_text[j]) for i, j in pairs}
        gone = {i: _html(before[i], ()) for i in range(i1, i2)}
        come = {j: _html(after[j], ()) for j in range(j1, j2)}
        for (i, j), (cut, put) in marks.items():
            gone[i], come[j] = _html(before[i], cut, "del"), _html(after[j], put, "ins")
        rows += _split(gone, come, pairs) if mode == "split" else _unified(gone, come)
    return tuple(rows if context is None else _fold(rows, context))


def _lines(source: str, language: str) -> list[list[Piece]]:
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    lines: list[list[Piece]] = [[]]
    for kind, text in lexer.get_tokens(source.replace("\t", "    ").rstrip("\n")):
        name = _class_of(kind)
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if part and lines[-1] and lines[-1][-1][0] == name:
                lines[-1][-1] = name, lines[-1][-1][1] + part
            elif part:
                lines[-1].append((name, part))
    return lines


def _class_of(kind: _TokenType) -> str:
    while kind is not Token and kind.parent is not None:
        if kind in _CLASSES:
            return _CLASSES[kind]
        kind = kind.parent
    return ""


def _plain(lines: Iterable[Sequence[Piece]]) -> list[str]:
    return ["".join(text for _, text in pieces) for pieces in lines]


def _html(pieces: Iterable[Piece], marks: Sequence[Span], tag: str = "") -> Markup:
    """The pieces as spans, cut where a mark begins or ends so that the tags nest."""
    out, at = [], 0
    for name, text in pieces:
        end = at + len(text)
        edges = sorted({at, end, *(edge for span in marks for edge in span if at < edge < end)})
        for start, stop in pairwise(edges):
            part = escape(text[start - at : stop - at])
            if any(low <= start and stop <= high for low, high in marks):
                part = Markup("<{0}>{1}</{0}>").format(tag, part)
            out.append(Markup('<span class="{}">{}</span>').format(name, part) if name else part)
        at = end
    return Markup("").join(out)


def _pair(old: Sequence[str], new: Sequence[str], rows: Span, columns: Span) -> list[Span]:
    """Lines of a replaced block that resemble each other, in order: the best pair, then the best on each side of it."""
    (i1, i2), (j1, j2) = rows, columns
    if i1 == i2 or j1 == j2 or (i2 - i1) * (j2 - j1) > _MOST_PAIRS:
        return []
    score, i, j = max(
        (SequenceMatcher(None, old[i].strip(), new[j].strip(), autojunk=False).ratio(), -i, -j)
        for i in range(i1, i2)
        for j in range(j1, j2)
    )
    if score < _ALIKE:
        return []
    i, j = -i, -j
    return [*_pair(old, new, (i1, i), (j1, j)), (i, j), *_pair(old, new, (i + 1, i2), (j + 1, j2))]


def _changed_words(old: str, new: str) -> tuple[list[Span], list[Span]]:
    """The stretches of each line that the other one lacks, as offsets of characters."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    cut, put = [], []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            cut.append((len("".join(before[:i1])), len("".join(before[:i2]))))
            put.append((len("".join(after[:j1])), len("".join(after[:j2]))))
    return [span for span in cut if span[0] < span[1]], [span for span in put if span[0] < span[1]]


def _unified(gone: dict[int, Markup], come: dict[int, Markup]) -> list[Row]:
    return [Row("del", old_no=i + 1, old=line) for i, line in gone.items()] + [
        Row("add", new_no=j + 1, new=line) for j, line in come.items()
    ]


def _split(gone: dict[int, Markup], come: dict[int, Markup], pairs: Sequence[Span]) -> list[Row]:
    rows: list[Row] = []
    left, right = list(gone), list(come)
    for i, j in [*pairs, (-1, -1)]:  # the last one only lets the rest out
        while left and left[0] != i:
            rows.append(Row("del", old_no=left[0] + 1, old=gone[left.pop(0)]))
        while right and right[0] != j:
            rows.append(Row("add", new_no=right[0] + 1, new=come[right.pop(0)]))
        if left and right:
            left.pop(0)
            right.pop(0)
            rows.append(Row("change", i + 1, j + 1, gone[i], come[j]))
    return rows


def _fold(rows: Sequence[Row], context: int) -> list[Row]:
    """Replaces unchanged rows further than `context` from any change; one left-out line alone is shown instead."""
    near = [False] * len(rows)
    for at, row in enumerate(rows):
        if row.kind != "same":
            low, high = max(0, at - context), min(len(rows), at + context + 1)
            near[low:high] = [True] * (high - low)
    folded: list[Row] = []
    at = 0
    while at < len(rows):
        end = at
        while end < len(rows) and not near[end]:
            end += 1
        if end - at > 1:
            folded.append(Row(skipped=end - at))
            at = end
        else:
            folded.append(rows[at])
            at += 1
    return folded
