"""The one moment in which a draft becomes permanent: everything that is told of it later is written here."""

from __future__ import annotations

from app.db import Session
from app.domain.actor import Actor
from app.errors import Conflict
from app.features.curricula import queries
from app.features.curricula.building import build
from app.features.curricula.schemas import Selection
from app.features.curricula.selection import Evaluation
from app.features.exports import manifest
from app.features.exports import service as exports
from app.models import Curriculum, CurriculumVersion


def freeze(
    session: Session,
    actor: Actor,
    curriculum: Curriculum,
    version: CurriculumVersion,
    selection: Selection,
    found: Evaluation,
) -> None:
    """Writes items, hashes and manifest of a version that the caller holds locked. Raises Conflict for a copy."""
    built = build(session, actor.workspace_id, selection, found)
    if twin := queries.same_revision(session, actor.workspace_id, curriculum.id, built.revision):
        raise Conflict(
            f"This is version {twin} again: the same problems in the same order, chosen in the same way.",
            remedy=f"Use version {twin}, or change the selection.",
        )
    queries.add_items(
        session,
        [
            {
                "version_id": version.id,
                "position": row["position"],
                "workspace_id": actor.workspace_id,
                "variant_id": chosen.candidate.variant_id,
                "content_hash": row["content_hash"],
                "environment": row["env"],
                "difficulty": row["difficulty"],
                "stage": row["stage"],
                "rate": row["pass_rate"],
                "row": line,
            }
            for chosen, row, line in zip(found.chosen, built.rows, built.lines, strict=True)
        ],
    )
    files = exports.record(session, actor, version.id, built.rows)
    parent = queries.frozen_before(session, actor.workspace_id, curriculum.id, version.number)
    now = queries.now(session)
    identity = {
        "curriculum": {"id": curriculum.id, "name": curriculum.name, "version": version.number},
        "revision": built.revision,
        "parent_revision": parent.content_hash if parent else None,
        "frozen_at": now.isoformat(timespec="seconds"),
    }
    version.manifest = manifest.render(identity, built.header, built.contents, files)
    version.content_hash = built.revision
    version.frozen_at = now
    version.frozen_by = actor.user_id
    session.flush()
