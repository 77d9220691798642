"""The run of a first start: the procedural engine on snippets of the running interpreter's standard library."""

from __future__ import annotations

import random
import sys

from app.db import Session
from app.domain.actor import Actor
from app.domain.seeds import stdlib_snippets
from app.features.runs import listing, queries, service
from app.features.runs.schemas import RunConfig, SeedChoice
from app.features.seeds.service import create_set
from app.models import Run

SEEDS = 24
# Fixed, so that everyone on one Python version sees the same demo.
_SEED = 7


def ensure(session: Session, actor: Actor) -> Run | None:
    """Starts the demo where the workspace has no run yet; None where it has."""
    if listing.runs(session, actor.workspace_id, limit=1):
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"Python {version} standard library"
    if queries.seed_set_named(session, actor.workspace_id, name) is None:
        create_set(session, actor, name, stdlib_snippets(SEEDS, random.Random(_SEED)), origin="demo")  # noqa: S311
    config = RunConfig(name="Demo: standard library, all environments", seeds=SeedChoice(set=name), seed=_SEED)
    return service.create(session, actor, config)
