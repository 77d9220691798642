"""Snippets of real code, drawn the same way for the same seed."""

from __future__ import annotations

import sysconfig
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from app.domain.code import parse
from app.domain.seeds import LONGEST, SHORTEST, snippets, stdlib_snippets

CODE = "\n".join(f"x{i} = {i}" for i in range(200))


def test_a_snippet_is_consecutive_lines_of_the_file() -> None:
    for snippet in snippets(CODE, Random(1), 3):
        lines = CODE.split("\n")[snippet.first - 1 : snippet.last]
        assert snippet.text == "\n".join(lines)
        assert SHORTEST <= len(lines) <= LONGEST


def test_snippets_do_not_overlap() -> None:
    found = sorted(snippets(CODE, Random(2), 4), key=lambda snippet: snippet.first)
    assert len(found) >= 2
    assert all(one.last < two.first for one, two in pairwise(found))


def test_one_seed_gives_one_draw() -> None:
    assert snippets(CODE, Random(3), 2) == snippets(CODE, Random(3), 2) != snippets(CODE, Random(4), 2)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x = 1\n" * (SHORTEST - 2),
        "\n" * 100,
        "# a comment\n" * 100,
        '"""\n' + "words\n" * 100 + '"""\n',
        "TABLE = [\n" + "    (1, 2, 'three'),\n" * 100 + "]\n",
    ],
    ids=["empty", "short", "blank", "comments", "docstring", "table"],
)
def test_what_holds_no_code_gives_no_snippet(source: str) -> None:
    assert snippets(source, Random(5)) == []


def test_code_is_found_beside_a_table() -> None:
    source = "TABLE = [\n" + "    1,\n" * 100 + "]\n" + "x = f(1)\n" * 50
    (snippet,) = snippets(source, Random(6))
    assert snippet.text.count("x = f(1)") >= 15


def test_other_languages_are_drawn_from_too() -> None:
    assert snippets("let x = 1;\n" * 60, Random(7))


def test_form_feeds_do_not_shift_lines() -> None:
    source = "\f\n" * 3 + CODE
    (snippet,) = snippets(source, Random(8))
    assert snippet.text == "\n".join(source.split("\n")[snippet.first - 1 : snippet.last])


def test_the_standard_library_gives_seeds_with_their_source() -> None:
    drafts = stdlib_snippets(40, Random(7))
    assert drafts == stdlib_snippets(40, Random(7))
    assert len({draft.source for draft in drafts}) == 40
    root = Path(sysconfig.get_path("stdlib"))
    for draft in drafts:
        name, span = draft.source.split()
        first, last = map(int, span.split("-"))
        text = (root / name).read_text(encoding="utf-8")
        assert draft.text == "\n".join(text.split("\n")[first - 1 : last])
        assert (draft.kind, draft.language, draft.licence) == ("snippet", "python", "PSF-2.0")
        assert not {"test", "idlelib", "encodings"} & set(Path(name).parts)
        parse(text)
