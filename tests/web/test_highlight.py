"""Source and comparisons as safe lines."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from app.web.highlight import compare, highlight

LINES = st.lists(st.text(alphabet="ab <&>'\"#(=\n ", max_size=12), max_size=12).map("\n".join)


def text_of(line: Markup) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", line))


def test_tokens_get_classes_and_markup_is_escaped() -> None:
    line, comment = highlight("return '<b>'\n# why")
    assert line == '<span class="k">return</span> <span class="s">&#39;&lt;b&gt;&#39;</span>'
    assert comment == '<span class="c"># why</span>'


@given(LINES)
def test_nothing_is_lost(source: str) -> None:
    assert "\n".join(map(text_of, highlight(source))).strip("\n") == source.strip("\n")


@given(LINES, LINES, st.sampled_from(["unified", "split"]))
def test_both_texts_can_be_read_back(old: str, new: str, mode: str) -> None:
    rows = compare(old, new, "python", mode, None)
    if old == new:
        assert rows == ()
        return
    left = {row.old_no: text_of(row.old) for row in rows if row.old_no}
    right = {row.new_no: text_of(row.new) for row in rows if row.new_no}
    assert [left[n] for n in sorted(left)] == [text_of(line) for line in highlight(old)]
    assert [right[n] for n in sorted(right)] == [text_of(line) for line in highlight(new)]


def test_the_words_that_changed_are_marked() -> None:
    gone, come = compare("x = value % 13", "x = value % 17")
    assert (gone.kind, come.kind) == ("del", "add")
    assert "<del>13</del>" in gone.old
    assert "<ins>17</ins>" in come.new


def test_lines_that_resemble_each_other_stand_side_by_side() -> None:
    rows = compare("def f(a):\n    return a", "import heapq\ndef f(a, b):\n    return a", mode="split")
    assert [row.kind for row in rows] == ["add", "change", "same"]


def test_far_lines_are_folded() -> None:
    old = "\n".join(f"line_{n}" for n in range(40))
    rows = compare(old, old.replace("line_20", "other"), context=2)
    assert [row.skipped for row in rows if row.skipped] == [18, 17]
    assert len([row for row in rows if row.kind == "same" and not row.skipped]) == 4


@pytest.mark.parametrize("size", [60, 300])
def test_texts_without_anything_in_common_are_quick(size: int) -> None:
    old, new = ("\n".join(f"{name}{n}" for n in range(size)) for name in ("a", "b"))
    assert len(compare(old, new)) == 2 * size
