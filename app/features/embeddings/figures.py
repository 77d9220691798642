"""How different a run's problems are by their vectors: of each arm, in all environments and in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from app.domain.embeddings import Vectors, closest, clusters, mean_distance, unpack
from app.features.diversity.service import MOST
from app.features.embeddings.queries import Embedded
from app.features.embeddings.schemas import EmbeddingSpread, Pair
from app.features.runs.arms import ARMS

PAIRS = 20


def spreads(rows: Sequence[Embedded]) -> list[EmbeddingSpread]:
    """`rows` are in the order of the run. Of an arm with one environment there is one spread, of all."""
    return list(chain.from_iterable(_of_arm(arm, [row for row in rows if row.arm == arm]) for arm in ARMS))


def _of_arm(arm: str, rows: Sequence[Embedded]) -> list[EmbeddingSpread]:
    names = sorted({row.environment for row in rows})
    parts = [_of_environment(arm, name, [row for row in rows if row.environment == name]) for name in names]
    if len(parts) < 2:
        return [replace(part, environment="") for part in parts]
    # Problems of different environments are not compared: one can't repeat the other.
    nearest = sorted(chain.from_iterable(part.pairs for part in parts), key=lambda pair: -pair.cosine)[:PAIRS]
    return [_spread(arm, "", unpack([row.vector for row in rows]), nearest), *parts]


def _of_environment(arm: str, environment: str, rows: Sequence[Embedded]) -> EmbeddingSpread:
    vectors = unpack([row.vector for row in rows])
    return _spread(arm, environment, vectors, _pairs(vectors, rows))


def _pairs(vectors: Vectors, rows: Sequence[Embedded]) -> list[Pair]:
    found = closest(vectors, [row.chain_id for row in rows], PAIRS)
    return [Pair(cosine, rows[i].environment, rows[i].variant_id, rows[j].variant_id) for cosine, i, j in found]


def _spread(arm: str, environment: str, vectors: Vectors, pairs: Sequence[Pair]) -> EmbeddingSpread:
    return EmbeddingSpread(
        arm=arm,
        environment=environment,
        n=len(vectors),
        mean_distance=mean_distance(vectors),
        curve=clusters(vectors[:MOST]),
        pairs=pairs,
    )
