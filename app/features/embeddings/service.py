"""Embedding the variants of a run by a model, to tell how different they are."""

from __future__ import annotations

from app import audit
from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import Conflict, NotFound
from app.features.embeddings import ledger, queries
from app.features.embeddings.schemas import EmbedConfig, RunEmbeddings
from app.features.runs import service as runs
from app.jobs import EMBED, enqueue


def start(session: Session, actor: Actor, run_id: int, config: EmbedConfig) -> RunEmbeddings:
    """Embeds what this model has not embedded yet, in the background, in the place of an earlier request.

    Asked for twice it is done once. Raises NotFound, Conflict where there is nothing to embed, and Forbidden below the
    role member.
    """
    actor.require(Role.MEMBER)
    if not embeddings(session, actor, run_id).valid:
        raise Conflict("This run has no valid variant to embed.", remedy="Wait for the first one.")
    profile = runs.profile(session, actor.workspace_id, "embedder", config.embedder)
    if ledger.start(session, actor.workspace_id, run_id, profile, config):
        model = str(config.embedder.options.get("model", ""))
        audit.record(session, actor, "run.embedding_started", f"runs/{run_id}", model=model)
    enqueue(session, EMBED, run_id)
    return embeddings(session, actor, run_id)


def pause(session: Session, actor: Actor, run_id: int) -> RunEmbeddings:
    """What is embedded stays; asking again goes on.

    Raises NotFound, Conflict unless it is under way, and Forbidden below the role member.
    """
    actor.require(Role.MEMBER)
    embeddings(session, actor, run_id)
    if not ledger.stop(session, run_id):
        raise Conflict(
            "Nothing of this run is being embedded by now.",
            remedy="Reload the page to see where it stands; nothing was changed.",
        )
    audit.record(session, actor, "run.embedding_paused", f"runs/{run_id}")
    return embeddings(session, actor, run_id)


def embeddings(session: Session, actor: Actor, run_id: int) -> RunEmbeddings:
    """Raises NotFound."""
    found = queries.of_run(session, actor.workspace_id, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id} in this workspace.")
    return found
