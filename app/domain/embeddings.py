"""How different problems are from one another, by the vectors that a model gives of their texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.domain.problem import Problem

ALIKE = 0.9  # cosine that the problems of one cluster have with its first one at least

Vectors: TypeAlias = NDArray[np.float32]  # one in each row, of length 1

_STORED = "<f4"
_BLOCK = 512  # rows that are compared with all others at once, to bound the memory


def text_of(problem: Problem) -> str:
    """What is embedded of a problem: its message, where it has one, and its program."""
    return "\n\n".join(filter(None, (problem.message, problem.program)))


def pack(vector: Sequence[float]) -> bytes:
    """The vector at length 1, as it is stored."""
    return (np.asarray(vector, dtype=np.float64) / math.hypot(*vector)).astype(_STORED).tobytes()


def unpack(packed: Sequence[bytes]) -> Vectors:
    return np.frombuffer(b"".join(packed), dtype=_STORED).reshape(len(packed), -1)


def mean_distance(vectors: Vectors) -> float | None:
    """1 - the mean cosine over all pairs; None for fewer than two.

    The square of the sum of all vectors holds the cosine of every pair twice, and n times 1: no pair is looked at.
    """
    n = len(vectors)
    if n < 2:
        return None
    total = vectors.sum(axis=0, dtype=np.float64)
    return max(0.0, 1 - (float(total @ total) - n) / (n * (n - 1)))


def clusters(vectors: Vectors) -> list[int]:
    """How many clusters there are among the first one, the first two, and so on.

    A problem that is less than ALIKE to the first of every cluster opens another one.
    """
    firsts = np.empty_like(vectors)
    found = 0
    counts: list[int] = []
    for vector in vectors:
        if not found or (firsts[:found] @ vector).max() < ALIKE:
            firsts[found] = vector
            found += 1
        counts.append(found)
    return counts


def closest(vectors: Vectors, trees: Sequence[int], most: int) -> list[tuple[float, int, int]]:
    """(cosine, row, row) of the closest pairs of different trees, at most so many, the closest first."""
    tree = np.asarray(trees)
    best: list[tuple[float, int, int]] = []
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors[start:].T
        rows, width = cosines.shape
        cosines[tree[start : start + rows, None] == tree[None, start:]] = -math.inf
        cosines[:, :rows][np.tril_indices(rows)] = -math.inf  # each pair once
        flat = cosines.ravel()
        top = np.argpartition(flat, -min(most, flat.size))[-most:]
        best += [
            (min(1.0, float(flat[at])), start + int(at) // width, start + int(at) % width)
            for at in top
            if flat[at] > -math.inf
        ]
        best = sorted(best, key=lambda pair: (-pair[0], *pair[1:]))[:most]
    return best
