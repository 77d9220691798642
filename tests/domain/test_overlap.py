"""Which stretches of words an item and a variant share."""

from __future__ import annotations

import pytest

from app.domain.overlap import LONGEST, SHORTEST, item_grams, shared_passage, variant_grams

TEXT = "given several ascending lists return one list that keeps every item in the order of its size"
WORDS = TEXT.split()


def words(count: int) -> str:
    return " ".join(WORDS[:count])


def shared(item: str, *variant: str) -> set[int]:
    return item_grams([item]) & variant_grams(variant)


@pytest.mark.parametrize(("count", "found"), [(LONGEST, True), (LONGEST - 1, False)])
def test_thirteen_words_of_a_long_text_are_enough(count: int, found: bool) -> None:
    assert bool(shared(words(17), f"First {words(count)} last")) is found


def test_a_short_text_is_compared_as_a_whole_and_a_very_short_one_not_at_all() -> None:
    assert shared(words(SHORTEST), f"Now {words(SHORTEST)} again")
    assert not shared(words(SHORTEST), words(SHORTEST - 1))
    assert item_grams([words(SHORTEST - 1)]) == set()


def test_case_punctuation_and_layout_do_not_count() -> None:
    assert shared(words(13), "# " + ",\n#   ".join(WORDS[:13]).upper() + "!")


def test_stretches_that_tell_nothing_are_passed_over() -> None:
    assert item_grams([" ".join(map(str, range(40)))]) == set()
    assert item_grams(["a b c d e " * 5]) == set()


def test_the_passage_is_the_longest_shared_piece_as_the_variant_has_it() -> None:
    text = f'"""Take care: {words(15).capitalize()}. Then stop."""'
    assert shared_passage(["x = 1", text], shared(words(17), text)) == words(15).capitalize()
    assert shared_passage([text], set()) == ""


def test_a_long_passage_is_cut_at_a_word() -> None:
    text = " ".join(f"word{n}" for n in range(300))
    passage = shared_passage([text], shared(text, text))
    assert passage.endswith(" …")
    assert len(passage) < 610
    assert text.startswith(passage.removesuffix(" …"))
