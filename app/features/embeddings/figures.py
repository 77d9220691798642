"""How different a run's problems are by their vectors: of each arm, in all environments and in each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from app.domain.embeddings import closest, clusters, mean_distance, unpack
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
    if not names:
        return []
    groups = {name: [row for row in rows if row.environment == name] for name in names}
    pairs = {name: _pairs(group) for name, group in groups.items()}
    nearest = sorted(chain.from_iterable(pairs.values()), key=lambda pair: -pair.cosine)[:PAIRS]
    whole = _spread(arm, "", rows, nearest)
    if len(names) == 1:
        return [whole]
    return [whole, *(_spread(arm, name, group, pairs[name]) for name, group in groups.items())]


def _pairs(rows: Sequence[Embedded]) -> list[Pair]:
    """Problems of different environments are not compared: one can't repeat the other."""
    vectors = unpack([row.vector for row in rows])
    found = closest(vectors, [row.chain_id for row in rows], PAIRS)
    return [Pair(cosine, rows[i].environment, rows[i].variant_id, rows[j].variant_id) for cosine, i, j in found]


def _spread(arm: str, environment: str, rows: Sequence[Embedded], pairs: Sequence[Pair]) -> EmbeddingSpread:
    vectors = unpack([row.vector for row in rows])
    return EmbeddingSpread(
        arm=arm,
        environment=environment,
        n=len(rows),
        mean_distance=mean_distance(vectors),
        curve=clusters(vectors[:MOST]),
        pairs=pairs,
    )
