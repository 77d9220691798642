"""How different programs are from one another, by their MinHash signatures (app.domain.sketch)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from app.domain.sketch import VALUES, values

ALIKE = 0.5  # share of their syntax that two programs of one cluster have in common at least


def mean_distance(signatures: Sequence[bytes]) -> float | None:
    """1 - the mean estimated similarity over all pairs; None for fewer than two.

    A pair's estimate is the share of places at which both agree, so that the mean over all pairs is a mean over places,
    of how many pairs hold the same value there: no pair needs to be looked at.
    """
    pairs = len(signatures) * (len(signatures) - 1) // 2
    if not pairs:
        return None
    agreeing = sum(
        count * (count - 1) // 2
        for place in zip(*map(values, signatures), strict=True)
        for count in Counter(place).values()
        if count > 1
    )
    return 1 - agreeing / (pairs * VALUES)


def clusters(signatures: Iterable[bytes]) -> list[int]:
    """How many clusters there are among the first one, the first two, and so on.

    A program that has less than ALIKE in common with the first of every cluster opens another one.
    """
    firsts: list[dict[int, list[int]]] = [{} for _ in range(VALUES)]  # per place: value -> clusters whose first has it
    counts: list[int] = []
    found = 0
    for signature in signatures:
        unpacked = values(signature)
        met = (known.get(value, ()) for value, known in zip(unpacked, firsts, strict=True))
        agreeing = Counter(chain.from_iterable(met))
        if max(agreeing.values(), default=0) < ALIKE * VALUES:
            for value, known in zip(unpacked, firsts, strict=True):
                known.setdefault(value, []).append(found)
            found += 1
        counts.append(found)
    return counts
