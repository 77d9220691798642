"""Benchmark sets: imported in one go or not at all; and which variants share something with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from app import audit
from app.db import Session, unit_of_work
from app.domain import names
from app.domain.actor import Actor, Role
from app.domain.overlap import COMMON
from app.domain.text import storable
from app.errors import Conflict, InvalidInput, NotFound
from app.events import publish
from app.features.benchmarks import checks, queries
from app.features.benchmarks.schemas import MAX_ITEMS, Contamination, ImportReport, ItemDraft, SetRow
from app.features.seeds.schemas import Rejected
from app.features.seeds.supervised import tell
from app.jobs import CHECK, enqueue

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_BATCH = 200


def import_path(session: Session, actor: Actor, path: Path, name: str = "") -> ImportReport:
    """A set from a file of this machine. Raises InvalidInput, and then nothing of it is left."""
    if not path.is_file():
        raise InvalidInput(f"{path} is no file.", field="path", remedy="Check its spelling.")
    with path.open("rb") as file:
        return import_file(session, actor, file, path.name, name)


def import_file(session: Session, actor: Actor, file: IO[bytes], file_name: str, name: str = "") -> ImportReport:
    """A set from an uploaded file, which must have a descriptor. Without a name it is called like the file."""
    actor.require(Role.MEMBER)
    shown = storable(file_name.replace("\\", "/").rpartition("/")[2])[: names.LONGEST] or "upload"
    form = FORMATS.get(Path(shown).suffix.lower())
    if form is None:
        raise InvalidInput(
            f"{shown} is of no format that is read here.", field="file", remedy="Bring a .jsonl or a .parquet file."
        )
    name = names.checked(name or _free_name(session, actor, Path(shown).stem))
    with session.begin_nested():
        return _add_all(
            session, actor, name, shown, _items(tell("app.features.benchmarks.child", [form, shown], shown, file))
        )


def _items(told: Iterable[tuple[str, dict[str, object]]]) -> Iterator[ItemDraft]:
    for what, fields in told:
        if what == "rejected":
            bad = Rejected(**fields)  # type: ignore[arg-type]
            where = f"{bad.where}, field {bad.field}" if bad.field else bad.where
            raise InvalidInput(
                f"{where}: {bad.message}", field="file", remedy=f"{bad.remedy} Nothing was imported.".strip()
            )
        yield ItemDraft(**fields)  # type: ignore[arg-type]


def _add_all(session: Session, actor: Actor, name: str, origin: str, found: Iterable[ItemDraft]) -> ImportReport:
    set_id = queries.add_set(session, actor.workspace_id, actor.user_id, name, origin)
    if set_id is None:
        raise InvalidInput(f"There is a benchmark set {name!r} already.", field="name", remedy="Choose another name.")
    items: list[ItemDraft] = []
    seen: Counter[int] = Counter()
    for item in found:
        if len(items) == MAX_ITEMS:
            raise InvalidInput(f"A set holds {MAX_ITEMS} items at most.", field="file", remedy="Split it into several.")
        items.append(item)
        seen.update(item.grams)
    if not items:
        raise InvalidInput("There is no item in it.", field="file", remedy="Bring a file that holds some problems.")
    common = {gram for gram, count in seen.items() if count > COMMON}
    for start in range(0, len(items), _BATCH):
        batch = enumerate(items[start : start + _BATCH], start)
        queries.add_items(session, [_row(actor, set_id, at, item, common) for at, item in batch])
    queries.set_count(session, set_id, len(items))
    audit.record(
        session, actor, "benchmark_set.imported", f"benchmarks/{set_id}", name=name, origin=origin, items=len(items)
    )
    return ImportReport(set_id, name, len(items), sum(not item.comparable for item in items))


def _row(actor: Actor, set_id: int, position: int, item: ItemDraft, common: set[int]) -> dict[str, object]:
    return {
        "workspace_id": actor.workspace_id,
        "benchmark_set_id": set_id,
        "position": position,
        "name": item.name,
        "statement": item.statement,
        "code": item.code,
        "grams": [gram for gram in item.grams if gram not in common],
        "bands": item.bands,
        "signature": bytes.fromhex(item.signature) or None,
    }


def delete_set(session: Session, actor: Actor, set_id: int, confirm: str) -> str:
    """The name of the set that is gone, with all marks that name it. `confirm` must be its name."""
    actor.require(Role.MEMBER)
    name = queries.lock_set(session, actor.workspace_id, set_id)
    if name is None:
        raise NotFound("There is no such benchmark set.")
    if confirm != name:
        raise InvalidInput("This is not the name of the set.", field="confirm", remedy=f"Type {name} exactly.")
    queries.delete_set(session, actor.workspace_id, set_id)
    audit.record(session, actor, "benchmark_set.deleted", f"benchmarks/{set_id}", name=name)
    return name


def benchmark_set(session: Session, actor: Actor, set_id: int) -> SetRow:
    """Raises NotFound."""
    found = queries.one_set(session, actor.workspace_id, set_id)
    if found is None:
        raise NotFound("There is no such benchmark set.")
    return found


def contamination(session: Session, actor: Actor, run_id: int) -> Contamination:
    """What a run is compared with, and how many of its variants share something. Raises NotFound."""
    found = queries.contamination(session, actor.workspace_id, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id} in this workspace.")
    return found


def check_again(session: Session, actor: Actor, run_id: int) -> Contamination:
    """Compares all variants of a run with every set of the workspace, in the background.

    Asked for twice it is done once. Raises Conflict where there is no set, NotFound.
    """
    actor.require(Role.MEMBER)
    if not checks.hold_run(session, actor.workspace_id, run_id):
        raise NotFound(f"There is no run {run_id} in this workspace.")
    if not queries.any_set(session, actor.workspace_id):
        raise Conflict("There is no benchmark set to compare with.", remedy="Import one on the page Benchmarks.")
    if checks.start(session, actor.workspace_id, run_id):
        audit.record(session, actor, "run.checked_again", f"runs/{run_id}")
        publish(session, actor.workspace_id, run_id, "checked")
    enqueue(session, CHECK, run_id)
    return contamination(session, actor, run_id)


def drive_check(run_id: int, should_stop: Callable[[], bool]) -> None:
    """Does what is left of a run's check, unless somebody does it already. For workers."""
    with unit_of_work() as session:
        owner = checks.claim(session, run_id)
    if owner is None:
        return
    while not should_stop():
        with unit_of_work() as session:
            if not checks.take_batch(session, run_id, owner):
                return
    with unit_of_work() as session:
        checks.leave(session, run_id, owner)


def _free_name(session: Session, actor: Actor, base: str) -> str:
    stem = names.stem(base, "benchmark")
    return names.unlike(stem, queries.names_like(session, actor.workspace_id, stem))
