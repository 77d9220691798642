"""The one moment in which a draft becomes permanent: everything that is told of it later is written here."""

from __future__ import annotations

from collections import defaultdict

from app import prompts
from app.db import Session
from app.domain.actor import Actor
from app.domain.export_row import ExportRow, encode_row
from app.errors import Conflict
from app.features.curricula import queries
from app.features.curricula.queries import Facts
from app.features.curricula.rows import export_row, profile, revision
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
    rows: list[ExportRow] = []
    items: list[dict[str, object]] = []
    origin, contents = _Origin(), manifest.Contents()
    ids = [item.candidate.variant_id for item in found.chosen]
    facts = queries.facts(session, actor.workspace_id, ids, selection)
    for position, (chosen, fact) in enumerate(zip(found.chosen, facts, strict=True)):
        row = export_row(fact, position=position, stage=chosen.stage, difficulty=chosen.bin)
        rows.append(row)
        origin.add(fact)
        contents.add(row)
        items.append(
            {
                "version_id": version.id,
                "position": position,
                "workspace_id": actor.workspace_id,
                "variant_id": fact.variant_id,
                "content_hash": fact.content_hash,
                "environment": fact.environment,
                "difficulty": chosen.bin,
                "stage": chosen.stage,
                "row": encode_row(row),
            }
        )
    header = {
        "schema_version": manifest.SCHEMA_VERSION,
        "selection": selection.model_dump(mode="json"),
        "bins": {b.name: [b.band.low, b.band.high] for b in selection.bins_of_set},
        "provenance": origin.facts(),
    }
    sha = revision(header, (str(item["row"]) for item in items))
    if twin := queries.same_revision(session, actor.workspace_id, curriculum.id, sha):
        raise Conflict(
            f"This is version {twin} again: the same problems in the same order, chosen in the same way.",
            remedy=f"Use version {twin}, or change the selection.",
        )
    queries.add_items(session, items)
    files = exports.record(session, actor, version.id, rows)
    parent = queries.frozen_before(session, actor.workspace_id, curriculum.id, version.number)
    now = queries.now(session)
    version.manifest = manifest.render(
        manifest.Identity(
            curriculum_id=curriculum.id,
            name=curriculum.name,
            version=version.number,
            revision=sha,
            parent_revision=parent.content_hash if parent else None,
            frozen_at=now.isoformat(timespec="seconds"),
        ),
        header,
        contents,
        files,
    )
    version.content_hash = sha
    version.frozen_at = now
    version.frozen_by = actor.user_id
    session.flush()


class _Origin:
    """From what the rows were made, gathered while they pass; sorted, so that it is the same every time."""

    def __init__(self) -> None:
        self._versions: dict[str, set[str]] = defaultdict(set)
        self._isolation: set[str] = set()
        self._teachers: dict[str, dict[str, object]] = {}
        self._students: dict[str, dict[str, object]] = {}

    def add(self, fact: Facts) -> None:
        self._versions[fact.environment].add(fact.environment_version)
        self._isolation |= {fact.isolation, fact.measured_isolation}
        for known, model in ((self._teachers, fact.teacher), (self._students, fact.student)):
            if model.digest not in known:
                known[model.digest] = profile(model)

    def facts(self) -> dict[str, object]:
        return {
            "environments": {
                name: {"versions": sorted(versions), "student_prompt": prompts.prompt_hash(name)}
                for name, versions in sorted(self._versions.items())
            },
            "isolation": sorted(self._isolation - {""}),
            "teachers": [self._teachers[digest] for digest in sorted(self._teachers)],
            "students": [self._students[digest] for digest in sorted(self._students)],
        }
