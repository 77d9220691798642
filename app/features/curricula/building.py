"""The rows of an evaluated selection, with everything that is told of them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from app import prompts
from app.db import Session
from app.domain.export_row import ExportRow, encode_row
from app.features.curricula import queries
from app.features.curricula.queries import Facts
from app.features.curricula.rows import export_row, profile, revision
from app.features.curricula.schemas import Selection
from app.features.curricula.selection import Evaluation
from app.features.exports import manifest


@dataclass(frozen=True, slots=True)
class Built:
    """Rows in order, their frozen text, and what the manifest tells. `header` is what `revision` covers beside them."""

    rows: list[ExportRow]
    lines: list[str]
    header: Mapping[str, object]
    contents: manifest.Contents
    revision: str


def build(session: Session, workspace_id: int, selection: Selection, found: Evaluation) -> Built:
    """Reads what the rows tell of every chosen variant."""
    rows: list[ExportRow] = []
    origin, contents = _Origin(), manifest.Contents()
    ids = [item.candidate.variant_id for item in found.chosen]
    facts = queries.facts(session, workspace_id, ids, selection)
    for position, (chosen, fact) in enumerate(zip(found.chosen, facts, strict=True)):
        row = export_row(fact, position=position, stage=chosen.stage, difficulty=chosen.bin)
        rows.append(row)
        origin.add(fact)
        contents.add(row)
    header = {
        "schema_version": manifest.SCHEMA_VERSION,
        "selection": selection.model_dump(mode="json"),
        "bins": {b.name: [b.band.low, b.band.high] for b in selection.bins_of_set},
        "provenance": origin.facts(),
    }
    lines = [encode_row(row) for row in rows]
    return Built(rows, lines, header, contents, revision(header, lines))


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
