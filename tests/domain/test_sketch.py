"""How similar two programs are, and that what is kept of them tells it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.shingles import constructs, shingles
from app.domain.sketch import NEAR, VALUES, bands, repeats, similarity, sketch
from tests.support.problems import FAMILIES

PROGRAM = '''
def f(words, limit):
    """Keeps long words."""
    kept = [word for word in words if len(word) > limit]  # longer ones
    return sorted(kept, key=len)
'''
RENAMED = """
def f(lines: list, n: int) -> list:
    found = [
        line for line in lines if len(line) > n
    ]
    return sorted(found, key=len)
"""
CHANGED = PROGRAM.replace("len(word) > limit", "len(word) >= limit + 1")


def test_names_layout_comments_docstrings_and_annotations_change_nothing() -> None:
    assert shingles(PROGRAM) == shingles(RENAMED)
    assert sketch(PROGRAM) == sketch(RENAMED)


@pytest.mark.parametrize("changed", [CHANGED, PROGRAM.replace("key=len", "key=str"), PROGRAM.replace("sorted", "list")])
def test_operators_constants_attributes_and_called_names_count(changed: str) -> None:
    assert shingles(PROGRAM) != shingles(changed)


def test_the_estimate_is_close_to_the_share_that_it_estimates() -> None:
    programs = [version[1] for family in FAMILIES for version in family.versions]
    errors = []
    for one in programs:
        for other in programs:
            a, b = shingles(one), shingles(other)
            errors.append(similarity(sketch(one).signature, sketch(other).signature) - len(a & b) / len(a | b))
    assert max(map(abs, errors)) < 0.2  # a standard error is 0.044 at most
    assert abs(sum(errors) / len(errors)) < 0.01


def test_a_signature_is_the_same_on_every_machine() -> None:
    """Signatures stand in databases: a library that computed others would have to be told apart by SCHEME."""
    assert sketch(PROGRAM).signature[:12].hex() == "7676802c67d99b1917475287"
    assert len(sketch(PROGRAM).signature) == 4 * VALUES


@given(st.integers(0, 12), st.integers(0, 2**32))
def test_what_is_near_shares_a_band(changes: int, seed: int) -> None:
    """With as many different values as NEAR allows, spread over the bands at random, 99 of 100 pairs meet."""
    signature = sketch(PROGRAM).signature
    meet, random = 0, Random(seed)
    for _ in range(100):
        other = bytearray(signature)
        for at in random.sample(range(VALUES), changes):
            other[4 * at] ^= 1
        assert repeats(signature, bytes(other), same_tree=False) is not None
        meet += not set(bands(signature)).isdisjoint(bands(bytes(other)))
    assert meet == 100  # 12 changes leave 4 of 16 bands untouched at least


def test_bands_of_other_scopes_never_meet() -> None:
    signature = sketch(PROGRAM).signature
    assert set(bands(signature, "1/deduction")).isdisjoint(bands(signature, "2/deduction"))
    assert set(bands(signature)).isdisjoint(bands(signature, width=4))


def test_within_a_tree_only_the_same_program_repeats() -> None:
    """A constant that is used a second time adds no shingle."""
    one, other = sketch(PROGRAM).signature, bytearray(sketch(PROGRAM).signature)
    other[0] ^= 1
    assert repeats(one, one, same_tree=True) == 1.0
    assert repeats(one, bytes(other), same_tree=True) is None
    assert repeats(one, bytes(other), same_tree=False) == 127 / 128 >= NEAR


def test_constructs_are_kinds_of_syntax() -> None:
    assert constructs(PROGRAM) == tuple(sorted(constructs(PROGRAM)))
    assert {"ListComp", "Compare", "Call", "FunctionDef"} <= set(constructs(PROGRAM))
    assert "While" not in constructs(PROGRAM)


def test_deeply_nested_programs_are_walked_without_recursion() -> None:
    deep = "def f(x):\n    return " + "-" * 80 + "x"
    assert sketch(deep).size > 1
