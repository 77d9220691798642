"""Seed sets: made in one go or not at all, read by many, deleted only while no run uses them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from app import audit
from app.db import Session
from app.domain import names
from app.domain.actor import Actor, Role
from app.domain.seeds import SeedDraft
from app.domain.text import storable
from app.errors import Conflict, InvalidInput, NotFound
from app.features.seeds import formats, queries, supervised
from app.features.seeds.reading.check import checked
from app.features.seeds.schemas import MAX_SEEDS, Format, ImportOptions, ImportReport, Rejected, SetRow

Progress = Callable[[int], None]
"""Called now and then with the number of seeds so far."""

_BATCH = 500
_TOLD = 100  # rejections that a report spells out


def import_path(
    session: Session,
    actor: Actor,
    path: Path,
    name: str = "",
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Seeds from a file or folder of this machine, for its own users: `cairn seeds import`.

    Without a name the set is called like the path, with a number where that is taken. Raises InvalidInput, and then
    nothing of it is left.
    """
    form = formats.of_path(path)
    options = options or ImportOptions()
    formats.check_language(form, options.language)
    name = name or _free_name(session, actor, path.resolve().name or "seeds")
    if form == "folder":
        found = supervised.read(form, path.name, options, folder=path)
        return _import(session, actor, name, found, str(path.resolve().name), options, progress)
    with path.open("rb") as file:
        found = supervised.read(form, path.name, options, file=file)
        return _import(session, actor, name, found, path.name, options, progress)


def import_file(
    session: Session,
    actor: Actor,
    file: IO[bytes],
    file_name: str,
    name: str,
    options: ImportOptions,
    form: Format | None = None,
) -> ImportReport:
    """Seeds from an uploaded file, which must have a descriptor. `form` goes before what the file's name tells."""
    shown = storable(file_name.replace("\\", "/").rpartition("/")[2])[:200] or "upload"
    form = form or formats.of_name(shown)
    formats.check_language(form, options.language)
    name = name or _free_name(session, actor, shown)
    return _import(session, actor, name, supervised.read(form, shown, options, file=file), shown, options, None)


def create_set(session: Session, actor: Actor, name: str, drafts: Iterable[SeedDraft], origin: str) -> ImportReport:
    """A set of seeds that are at hand already; the same rules hold as for a file."""
    found = (checked(draft, draft.source or f"seed {number}") for number, draft in enumerate(drafts, 1))
    return _import(session, actor, name, found, origin, ImportOptions(), None)


def delete_set(session: Session, actor: Actor, set_id: int, confirm: str) -> str:
    """The name of the set that is gone, with all its seeds. `confirm` must be its name."""
    actor.require(Role.MEMBER)
    name = queries.lock_set(session, actor.workspace_id, set_id)
    if name is None:
        raise NotFound("There is no such seed set.")
    if used := queries.runs_using(session, actor.workspace_id, set_id):
        raise Conflict(
            f"{used} {'run uses' if used == 1 else 'runs use'} this set.",
            remedy="What runs grew from is kept with them.",
        )
    if confirm != name:
        raise InvalidInput("This is not the name of the set.", field="confirm", remedy=f"Type {name} exactly.")
    queries.delete_set(session, actor.workspace_id, set_id)
    audit.record(session, actor, "seed_set.deleted", f"seeds/{set_id}", name=name)
    return name


def seed_set(session: Session, actor: Actor, set_id: int) -> SetRow:
    found = queries.one_set(session, actor.workspace_id, set_id)
    if found is None:
        raise NotFound("There is no such seed set.")
    return found


def _import(
    session: Session,
    actor: Actor,
    name: str,
    found: Iterable[SeedDraft | Rejected],
    origin: str,
    options: ImportOptions,
    progress: Progress | None,
) -> ImportReport:
    """All of it, or nothing: within a savepoint, so that a caller may go on after an error."""
    actor.require(Role.MEMBER)
    with session.begin_nested():
        return _add_all(session, actor, names.checked(name), found, origin, options, progress)


def _add_all(
    session: Session,
    actor: Actor,
    name: str,
    found: Iterable[SeedDraft | Rejected],
    origin: str,
    options: ImportOptions,
    progress: Progress | None,
) -> ImportReport:
    set_id = queries.add_set(session, actor.workspace_id, actor.user_id, name, origin)
    if set_id is None:
        raise InvalidInput(f"There is a seed set {name!r} already.", field="name", remedy="Choose another name.")
    seen: set[bytes] = set()
    rejected: list[Rejected] = []
    rejected_count = duplicates = 0
    batch: list[dict[str, object]] = []
    for item in found:
        if isinstance(item, Rejected):
            if not (item.passed_over or options.skip_bad):
                raise _stopped(item)
            rejected_count += 1
            rejected += [item] if len(rejected) < _TOLD else []
            continue
        digest = hashlib.sha256(item.text.encode()).digest()
        if digest in seen:
            duplicates += 1
            continue
        if len(seen) == MAX_SEEDS:
            raise InvalidInput(f"A set holds {MAX_SEEDS} seeds at most.", field="file", remedy="Split it into several.")
        batch.append(_row(actor, set_id, len(seen), item, digest.hex()))
        seen.add(digest)
        if len(batch) == _BATCH:
            queries.add_seeds(session, batch)
            batch.clear()
            if progress:
                progress(len(seen))
    if not seen:
        raise _nothing(rejected, rejected_count)
    if batch:
        queries.add_seeds(session, batch)
    queries.set_count(session, set_id, len(seen))
    if progress:
        progress(len(seen))
    audit.record(session, actor, "seed_set.imported", f"seeds/{set_id}", name=name, origin=origin, seeds=len(seen))
    return ImportReport(set_id, name, len(seen), duplicates, rejected_count, tuple(rejected))


def _row(actor: Actor, set_id: int, position: int, draft: SeedDraft, digest: str) -> dict[str, object]:
    return {
        "workspace_id": actor.workspace_id,
        "seed_set_id": set_id,
        "position": position,
        "kind": draft.kind,
        "text": draft.text,
        "language": draft.language,
        "licence": draft.licence,
        "source": draft.source,
        "digest": digest,
    }


def _stopped(item: Rejected) -> InvalidInput:
    where = f"{item.where}, field {item.field}" if item.field else item.where
    remedy = f"{item.remedy} Nothing was imported; to leave such records out, choose to skip bad ones."
    return InvalidInput(f"{where}: {item.message}", field="file", remedy=remedy.strip())


def _nothing(rejected: list[Rejected], count: int) -> InvalidInput:
    if not rejected:
        return InvalidInput("There is no seed in it.", field="file", remedy="Bring a file that holds some code.")
    return InvalidInput(
        f"There is no seed in it that can be used; {count} passed over, the first: {rejected[0]}",
        field="file",
        remedy=rejected[0].remedy or "Bring files with more code, or import them whole, as solutions.",
    )


def _free_name(session: Session, actor: Actor, base: str) -> str:
    stem = names.stem(base, "seeds")
    return names.unlike(stem, queries.names_like(session, actor.workspace_id, stem))
