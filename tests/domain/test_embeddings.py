"""Distances, clusters and closest pairs of vectors that were made by hand, and against plain loops."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from app.domain.embeddings import ALIKE, Vectors, closest, clusters, mean_distance, pack, text_of, unpack
from app.domain.problem import Problem


def vectors(*rows: list[float]) -> Vectors:
    return unpack([pack(row) for row in rows])


def at(degrees: float) -> list[float]:
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def many(number: int, numbers: int = 8) -> Vectors:
    rng = random.Random(7)
    return vectors(*([rng.gauss(0, 1) for _ in range(numbers)] for _ in range(number)))


def test_vectors_are_kept_at_length_one() -> None:
    assert pack([3, 4]) == pack([0.3, 0.4]) == pack([3e300, 4e300])
    assert len(pack([1.0] * 768)) == 4 * 768
    assert vectors([3, 4], [0, -2]).tolist() == [pytest.approx([0.6, 0.8]), [0, -1]]


def test_what_is_embedded_is_the_message_and_the_program() -> None:
    said = Problem("induction", "def f(a):\n    return a", ((1,),), (1,), "Return it.")
    assert text_of(said) == "Return it.\n\ndef f(a):\n    return a"
    assert text_of(Problem("deduction", "def f(a):\n    return a", ((1,),), (1,))) == "def f(a):\n    return a"


def test_mean_distance_by_hand() -> None:
    assert mean_distance(vectors(at(0))) is None
    assert mean_distance(vectors(at(10), at(10))) == pytest.approx(0, abs=1e-6)
    assert mean_distance(vectors(at(0), at(90))) == pytest.approx(1)
    assert mean_distance(vectors(at(0), at(180))) == pytest.approx(2)
    assert mean_distance(vectors(at(0), at(60), at(180))) == pytest.approx((0.5 + 1.5 + 2) / 3)


def test_clusters_by_hand() -> None:
    near = math.degrees(math.acos(ALIKE)) - 1
    # The third is near the second and not near the first, which leads the cluster.
    assert clusters(vectors(at(0), at(near), at(2 * near), at(180), at(0))) == [1, 1, 2, 3, 3]
    assert clusters(vectors(at(0))[:0]) == []


def test_closest_pairs_by_hand() -> None:
    found = closest(vectors(at(0), at(1), at(5), at(90)), [1, 1, 2, 3], most=3)
    assert [(i, j) for _, i, j in found] == [(1, 2), (0, 2), (2, 3)], "0 and 1 are of one tree"
    assert [cosine for cosine, *_ in found] == pytest.approx([math.cos(math.radians(d)) for d in (4, 5, 85)])
    assert closest(vectors(at(0), at(1)), [1, 1], most=3) == []
    assert closest(vectors(at(0)), [1], most=3) == []


@pytest.mark.parametrize("number", [2, 511, 512, 513, 1_100])
def test_blocks_give_what_loops_give(number: int) -> None:
    rows = many(number)
    trees = [position % 50 for position in range(number)]
    exact = rows.astype("f8")
    cosines = exact @ exact.T
    pairs = list(combinations(range(number), 2))
    assert mean_distance(rows) == pytest.approx(1 - sum(cosines[i, j] for i, j in pairs) / len(pairs))
    apart = sorted(((i, j) for i, j in pairs if trees[i] != trees[j]), key=lambda pair: -cosines[pair])
    found = closest(rows, trees, most=20)
    assert [(i, j) for _, i, j in found] == apart[:20]
    firsts: list[int] = []
    for row in range(number):
        if all(cosines[row, first] < ALIKE for first in firsts):
            firsts.append(row)
    assert clusters(rows)[-1] == len(firsts)
