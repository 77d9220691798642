"""How diverse what a run has grown is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Spread:
    """The valid variants of one arm, in one environment or (`environment` "") in all.

    Distances are over all pairs of the `n`, None for fewer than two. Clusters are counted among the first `counted`;
    `curve` holds their number among the first one, two, and so on.
    """

    arm: str
    environment: str
    n: int
    mean_distance: float | None
    curve: Sequence[int]

    @property
    def counted(self) -> int:
        return len(self.curve)

    @property
    def clusters(self) -> int:
        return self.curve[-1] if self.curve else 0

    def clusters_among(self, first: int) -> int | None:
        """Clusters among the first so many; None where there are fewer variants."""
        return self.curve[first - 1] if 0 < first <= self.counted else None


S = TypeVar("S", bound=Spread)


def comparisons(spreads: Sequence[S]) -> list[tuple[list[S], int]]:
    """Per environment the spreads of both arms, and among how many variants of each clusters compare."""
    names = dict.fromkeys(spread.environment for spread in spreads)
    pairs = [[spread for spread in spreads if spread.environment == name] for name in names]
    return [(pair, min(spread.counted for spread in pair)) for pair in pairs]


@dataclass(frozen=True, slots=True)
class SyntaxSpread(Spread):
    """Of programs, by their syntax. `constructs` are the kinds of it in use."""

    constructs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Diversity:
    """What a run has grown by itself; `baseline` is empty where it has none.

    `unsketched` valid variants are left out: an older version of Cairn grew them.
    """

    run_id: int
    main: Sequence[SyntaxSpread]
    baseline: Sequence[SyntaxSpread]
    unsketched: int
