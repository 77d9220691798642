"""Diversity of a run, from the sketches that were kept of its valid variants."""

from __future__ import annotations

from collections.abc import Sequence

from app.db import Session
from app.domain.actor import Actor
from app.domain.diversity import clusters, mean_distance
from app.errors import NotFound
from app.features.diversity import queries
from app.features.diversity.schemas import Diversity, SyntaxSpread
from app.features.runs.arms import ARMS

# Clusters are counted among so many variants: with more the time would grow with their square.
MOST = 400

_Row = tuple[str, str, bytes, list[str]]


def diversity(session: Session, actor: Actor, run_id: int) -> Diversity:
    """Raises NotFound."""
    if not queries.run_exists(session, actor.workspace_id, run_id):
        raise NotFound(f"There is no run {run_id} in this workspace.")
    rows = queries.sketches(session, run_id)
    main, baseline = (_spreads(arm, [row for row in rows if row[0] == arm]) for arm in ARMS)
    return Diversity(run_id, main, baseline, queries.unsketched(session, run_id))


def _spreads(arm: str, rows: Sequence[_Row]) -> list[SyntaxSpread]:
    """That of all environments, and of each where there are several."""
    environments = sorted({environment for _, environment, *_ in rows})
    if not environments:
        return []
    parts = [(name, [row for row in rows if row[1] == name]) for name in environments]
    return [_spread(arm, "", rows), *(_spread(arm, name, part) for name, part in parts)]


def _spread(arm: str, environment: str, rows: Sequence[_Row]) -> SyntaxSpread:
    signatures = [signature for _, _, signature, _ in rows]
    constructs = sorted({name for *_, names in rows for name in names})
    return SyntaxSpread(arm, environment, len(rows), mean_distance(signatures), clusters(signatures[:MOST]), constructs)
