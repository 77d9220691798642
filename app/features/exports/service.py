"""Files of frozen versions: rendered from their frozen rows, the same bytes every time, or a loud error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import registry
from app.db import Session
from app.domain.actor import Actor
from app.domain.export_row import ExportRow, decode_row
from app.domain.ports import Exporter
from app.errors import HashMismatch, InvalidInput, NotFound
from app.features.exports import queries, storage
from app.features.exports.manifest import FileFacts
from app.models import CurriculumVersion, Export

MANIFEST = "manifest.json"
SPLIT = "train"
MAX_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that may be sent: its content is that of its hash."""

    path: Path
    name: str
    media_type: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows as lines of JSON; `cursor` asks for those behind them, None at the end."""

    lines: Sequence[str]
    cursor: str | None


def file_name(exporter: Exporter) -> str:
    return f"{SPLIT}.{exporter.suffix}"


def record(session: Session, actor: Actor, version_id: int, rows: Sequence[ExportRow]) -> list[FileFacts]:
    """Renders a version that is being frozen in every format, and keeps the hashes that later renderings must have."""
    return [
        _record(session, actor, version_id, exporter, exporter.render(rows), len(rows))
        for exporter in registry.exporters().values()
    ]


def _record(session: Session, actor: Actor, version_id: int, exporter: Exporter, data: bytes, rows: int) -> FileFacts:
    sha256 = hashlib.sha256(data).hexdigest()
    queries.add_export(session, actor.workspace_id, version_id, actor.user_id, exporter.name, sha256, len(data))
    return FileFacts(file_name(exporter), exporter.name, rows, len(data), sha256)


def revision(session: Session, actor: Actor, curriculum_id: int, sha: str) -> CurriculumVersion:
    """The frozen version with this hash; `latest` is the newest. Raises NotFound."""
    if sha == "latest":
        sha = latest(session, actor, curriculum_id)
    found = queries.revision(session, actor.workspace_id, curriculum_id, sha)
    if found is None:
        raise NotFound(
            f"Curriculum {curriculum_id} has no revision {sha[:64]}.",
            field="revision",
            remedy="Take the whole SHA-256 from the curriculum's page, or `latest`.",
        )
    return found


def latest(session: Session, actor: Actor, curriculum_id: int) -> str:
    """The newest revision of a curriculum. Raises NotFound."""
    sha = queries.latest(session, actor.workspace_id, curriculum_id)
    if sha is None:
        if not queries.curriculum_exists(session, actor.workspace_id, curriculum_id):
            raise NotFound(f"There is no curriculum {curriculum_id}.")
        raise NotFound(f"Curriculum {curriculum_id} has no frozen version yet.", remedy="Freeze it first.")
    return sha


def manifest(session: Session, actor: Actor, curriculum_id: int, sha: str) -> str:
    return revision(session, actor, curriculum_id, sha).manifest or ""


def stored_file(session: Session, actor: Actor, curriculum_id: int, sha: str, name: str) -> StoredFile:
    """The file `name` of a revision, rendered now unless it lies there already.

    Raises NotFound; HashMismatch where rendering gives other bytes than the first time; StorageFull.
    """
    exporter = next((e for e in registry.exporters().values() if file_name(e) == name), None)
    if exporter is None:
        known = ", ".join(sorted(file_name(e) for e in registry.exporters().values()))
        raise NotFound(f"A revision has no file {name!r}.", field="name", remedy=f"It has {known} and {MANIFEST}.")
    version = revision(session, actor, curriculum_id, sha)
    export = queries.export(session, actor.workspace_id, version.id, exporter.name)
    path = storage.place(export.sha256, exporter.suffix) if export else None
    if export is None or path is None or not storage.is_whole(path, export.sha256, export.bytes):
        export, path = _render(session, actor, version, exporter)
    return StoredFile(path, name, exporter.media_type, export.sha256, export.bytes)


def _render(session: Session, actor: Actor, version: CurriculumVersion, exporter: Exporter) -> tuple[Export, Path]:
    """Writes the file anew. Where it is the first time (a format that is younger than the version), keeps its hash."""
    rows = [decode_row(line) for line in queries.lines(session, actor.workspace_id, version.id)]
    data = exporter.render(rows)
    now = _record(session, actor, version.id, exporter, data, len(rows)).sha256
    export = queries.export(session, actor.workspace_id, version.id, exporter.name)
    if export is None:
        raise AssertionError("an export that was recorded is there")
    if export.sha256 != now:
        raise HashMismatch(
            f"{file_name(exporter)} of revision {version.content_hash} came out with the SHA-256 {now}; "
            f"when it was frozen it was {export.sha256}. It is not served.",
            remedy="Its rows or the library that writes the format have changed: restore the database or the versions "
            "of requirements.lock that wrote it.",
        )
    path = storage.place(now, exporter.suffix)
    storage.write(path, data)
    return export, path


def rows(
    session: Session,
    actor: Actor,
    curriculum_id: int,
    sha: str,
    *,
    cursor: str = "",
    limit: int = 100,
    env: str | None = None,
    stage: int | None = None,
) -> RowsPage:
    """Frozen rows in order, behind `cursor`: stable, since a revision never changes."""
    version = revision(session, actor, curriculum_id, sha)
    after = _position(cursor)
    limit = max(1, min(limit, MAX_ROWS))
    found = queries.page(session, actor.workspace_id, version.id, after, limit + 1, env, stage)
    more = len(found) > limit
    return RowsPage([line for _, line in found[:limit]], str(found[limit - 1][0]) if more else None)


def row(session: Session, actor: Actor, curriculum_id: int, sha: str, problem_id: str) -> ExportRow:
    """The row with this `id`. Raises NotFound."""
    version = revision(session, actor, curriculum_id, sha)
    environment, _, hash_start = problem_id.rpartition("-")
    line = queries.row(session, actor.workspace_id, version.id, environment, hash_start) if environment else None
    if line is None or (found := decode_row(line))["id"] != problem_id:
        raise NotFound(f"This revision has no problem {problem_id!r}.", field="id", remedy="Take the `id` of a row.")
    return found


def _position(cursor: str) -> int:
    if not cursor:
        return -1
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise InvalidInput(f"{cursor[:40]!r} is no cursor.", field="cursor", remedy="Use the one of the last page.")
    return int(cursor)


def write_folder(session: Session, actor: Actor, curriculum_id: int, sha: str, folder: Path) -> list[Path]:
    """All files of a revision and its manifest into `folder`. Raises as `stored_file`."""
    version = revision(session, actor, curriculum_id, sha)
    written: list[Path] = []
    for name, data in _contents(session, actor, curriculum_id, version):
        storage.write(folder / name, data)
        written.append(folder / name)
    return written


def _contents(
    session: Session, actor: Actor, curriculum_id: int, version: CurriculumVersion
) -> Iterable[tuple[str, bytes]]:
    for exporter in registry.exporters().values():
        file = stored_file(session, actor, curriculum_id, version.content_hash or "", file_name(exporter))
        yield file.name, file.path.read_bytes()
    yield MANIFEST, (version.manifest or "").encode("ascii")
