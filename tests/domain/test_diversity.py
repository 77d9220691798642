"""Distances and clusters, against looking at every pair."""

from __future__ import annotations

from array import array
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.diversity import ALIKE, clusters, mean_distance
from app.domain.sketch import VALUES, similarity, sketch
from tests.support.problems import FAMILIES

# Few different values per place, so that all similarities occur.
SIGNATURES = st.lists(
    st.lists(st.integers(0, 2), min_size=VALUES, max_size=VALUES).map(lambda v: array("I", v).tobytes()), max_size=8
)


@given(SIGNATURES)
def test_the_mean_is_that_over_all_pairs(signatures: list[bytes]) -> None:
    pairs = [1 - similarity(one, other) for one, other in combinations(signatures, 2)]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert mean_distance(signatures) == (None if expected is None else pytest.approx(expected))


@given(SIGNATURES)
def test_clusters_are_those_of_comparing_with_every_first_one(signatures: list[bytes]) -> None:
    firsts: list[bytes] = []
    expected = []
    for signature in signatures:
        if all(similarity(signature, first) < ALIKE for first in firsts):
            firsts.append(signature)
        expected.append(len(firsts))
    assert clusters(signatures) == expected


def test_copies_are_one_cluster_at_no_distance() -> None:
    same = [sketch(FAMILIES[0].versions[0][1]).signature] * 5
    assert clusters(same) == [1] * 5
    assert mean_distance(same) == 0


def test_programs_of_other_families_are_far_apart() -> None:
    unlike = [sketch(family.versions[0][1]).signature for family in FAMILIES]
    assert clusters(unlike)[-1] == len(FAMILIES)
    assert (mean_distance(unlike) or 0) > 0.7
