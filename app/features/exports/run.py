"""The usable variants of one run as files, with no review and no curriculum: for a first look from the terminal."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app import registry
from app.db import Session
from app.domain.actor import Actor
from app.errors import InvalidInput, NotFound
from app.features.curricula import queries
from app.features.curricula.building import build
from app.features.curricula.schemas import Selection
from app.features.curricula.selection import evaluate
from app.features.exports import manifest, storage
from app.features.exports.service import MANIFEST, file_name
from app.features.runs.schemas import RunConfig


def write_run(session: Session, actor: Actor, run_id: int, folder: Path) -> list[Path]:
    """Every usable variant of the run's main arm in every format, and a manifest. Raises NotFound, InvalidInput."""
    run = queries.run(session, actor.workspace_id, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    kept = RunConfig.model_validate(run.config).kept.band
    selection = Selection(
        runs=[run_id], approved_only=False, leave_out_unmeasured=True, bin_set="kept", order="position"
    )
    candidates = queries.candidates(session, actor.workspace_id, selection)
    found = evaluate([c for c in candidates if c.rate is None or c.rate in kept], selection)
    if not found.chosen:
        raise InvalidInput(f"Run {run_id} has no usable variant.", field="run", remedy="See its page for the reasons.")
    built = build(session, actor.workspace_id, selection, found)
    written, files = [], []
    for exporter in registry.exporters().values():
        data = exporter.render(built.rows)
        name = file_name(exporter)
        storage.write(folder / name, data)
        written.append(folder / name)
        digest = hashlib.sha256(data).hexdigest()
        files.append(manifest.FileFacts(name, exporter.name, len(built.rows), len(data), digest))
    identity = {"run": {"id": run.id, "name": run.name}, "revision": built.revision}
    storage.write(folder / MANIFEST, manifest.render(identity, built.header, built.contents, files).encode("ascii"))
    return [*written, folder / MANIFEST]
