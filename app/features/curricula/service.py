"""Curricula: a selection that is looked at live, then frozen for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app import audit
from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import Conflict, InvalidForm, InvalidInput, NotFound
from app.features.curricula import freezing, queries
from app.features.curricula.queries import ItemKey
from app.features.curricula.schemas import Selection, parse_selection
from app.features.curricula.selection import Evaluation, evaluate
from app.models import Curriculum, CurriculumVersion

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Diff:
    """How one version differs from another: by problem, whatever its position."""

    added: tuple[ItemKey, ...]
    removed: tuple[ItemKey, ...]
    moved: tuple[tuple[ItemKey, ItemKey], ...]  # in both, under another difficulty: (before, now)
    kept: int


def create(session: Session, actor: Actor, name: str, selection: Selection) -> Curriculum:
    """A curriculum with its first draft. Raises InvalidForm or InvalidInput at a field."""
    actor.require(Role.MEMBER)
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(
            f"A name has 1 to {MAX_NAME} printable characters.", field="name", remedy="Choose another name."
        )
    queries.lock_names(session, actor.workspace_id, name)
    if queries.curriculum_by_name(session, actor.workspace_id, name):
        raise InvalidInput(f"There is a curriculum called {name!r} already.", field="name", remedy="Choose another.")
    _check(session, actor, selection)
    curriculum = Curriculum(workspace_id=actor.workspace_id, name=name, created_by=actor.user_id)
    session.add(curriculum)
    session.flush()
    _add_version(session, actor, curriculum, 1, selection)
    audit.record(session, actor, "curriculum.created", f"curricula/{curriculum.id}", name=name)
    return curriculum


def find(session: Session, actor: Actor, curriculum_id: int) -> Curriculum:
    """Raises NotFound, also where it belongs to another workspace."""
    return _found(queries.curriculum(session, actor.workspace_id, curriculum_id), curriculum_id)


def find_version(session: Session, actor: Actor, curriculum_id: int, number: int | None = None) -> CurriculumVersion:
    """Version `number`, or the newest. Raises NotFound."""
    find(session, actor, curriculum_id)
    version = queries.version(session, actor.workspace_id, curriculum_id, number)
    if version is None:
        raise NotFound(f"Curriculum {curriculum_id} has no version {number}.")
    return version


def selection_of(version: CurriculumVersion) -> Selection:
    return parse_selection(version.selection)


def evaluation(session: Session, actor: Actor, selection: Selection) -> Evaluation:
    """What the selection gives now."""
    return evaluate(queries.candidates(session, actor.workspace_id, selection), selection)


def save_selection(
    session: Session, actor: Actor, curriculum_id: int, number: int, selection: Selection
) -> CurriculumVersion:
    """Changes a draft. Raises InvalidForm at a field, Conflict where it has been frozen meanwhile."""
    actor.require(Role.MEMBER)
    version = _lock(session, actor, curriculum_id, number)
    _refuse_frozen(session, version)
    _check(session, actor, selection)
    version.selection = selection.model_dump(mode="json")
    return version


def new_version(session: Session, actor: Actor, curriculum_id: int) -> CurriculumVersion:
    """A draft that starts from the newest version's selection; the open draft where there is one already."""
    actor.require(Role.MEMBER)
    newest = _lock(session, actor, curriculum_id, None)
    if newest.frozen_at is None:
        return newest
    curriculum = find(session, actor, curriculum_id)
    version = _add_version(session, actor, curriculum, newest.number + 1, selection_of(newest))
    audit.record(session, actor, "curriculum.version_started", f"curricula/{curriculum_id}", version=version.number)
    return version


def blocked(found: Evaluation) -> str:
    """Why this can't be frozen; empty where it can."""
    if found.unmeasured:
        count = len(found.unmeasured)
        return (
            f"{count:,} chosen {'variant has' if count == 1 else 'variants have'} no pass rate: "
            "let the runs finish, or tick “Leave out unmeasured”."
        )
    if not found.chosen:
        return "The selection is empty: approve variants, or choose more runs, environments or bins."
    return ""


def freeze(
    session: Session, actor: Actor, curriculum_id: int, number: int, *, seen: str | None = None
) -> CurriculumVersion:
    """Makes a draft permanent, in this transaction: its items, its revision, its manifest and the hashes of its files.

    `seen` is the digest of the evaluation that was looked at. Raises Conflict where the version is frozen already,
    gives something else now, can't be frozen or equals an earlier one.
    """
    actor.require(Role.MEMBER)
    version = _lock(session, actor, curriculum_id, number)
    _refuse_frozen(session, version)
    selection = selection_of(version)
    found = evaluation(session, actor, selection)
    if seen is not None and seen != found.digest:
        raise Conflict(
            f"The selection gives something else now: {len(found.chosen):,} problems.",
            field="seen",
            remedy="Look at it again, then freeze it.",
        )
    if reason := blocked(found):
        raise Conflict(reason, field="selection")
    freezing.freeze(session, actor, find(session, actor, curriculum_id), version, selection, found)
    audit.record(
        session,
        actor,
        "curriculum.frozen",
        f"curricula/{curriculum_id}",
        version=number,
        revision=version.content_hash,
        problems=len(found.chosen),
    )
    return version


def items(session: Session, actor: Actor, version: CurriculumVersion) -> list[ItemKey]:
    """The problems of a version in order: as frozen, or as the draft gives them now."""
    if version.frozen_at is not None:
        return queries.item_keys(session, actor.workspace_id, version.id)
    return chosen_items(evaluation(session, actor, selection_of(version)))


def chosen_items(found: Evaluation) -> list[ItemKey]:
    return [
        ItemKey(i, c.candidate.variant_id, c.candidate.content_hash, c.candidate.environment, c.bin, c.rate)
        for i, c in enumerate(found.chosen)
    ]


def diff(before: Iterable[ItemKey], now: Iterable[ItemKey]) -> Diff:
    """What was added, removed and moved between bins from `before` to `now`, each in its version's order."""
    old = {item.content_hash: item for item in before}
    new = {item.content_hash: item for item in now}
    both = [(old[key], item) for key, item in new.items() if key in old]
    moved = tuple((a, b) for a, b in both if a.difficulty != b.difficulty)
    return Diff(
        added=tuple(item for key, item in new.items() if key not in old),
        removed=tuple(item for key, item in old.items() if key not in new),
        moved=moved,
        kept=len(both) - len(moved),
    )


def _lock(session: Session, actor: Actor, curriculum_id: int, number: int | None) -> CurriculumVersion:
    """The version, while nobody else changes its curriculum."""
    _found(queries.lock_curriculum(session, actor.workspace_id, curriculum_id), curriculum_id)
    return find_version(session, actor, curriculum_id, number)


def _found(curriculum: Curriculum | None, curriculum_id: int) -> Curriculum:
    if curriculum is None:
        raise NotFound(f"There is no curriculum {curriculum_id}.")
    return curriculum


def _refuse_frozen(session: Session, version: CurriculumVersion) -> None:
    if version.frozen_at is None:
        return
    by = queries.user_name(session, version.frozen_by)
    raise Conflict(
        f"Version {version.number} was frozen{f' by {by}' if by else ''} at {version.frozen_at:%Y-%m-%d %H:%M:%S %Z}.",
        remedy="It never changes; start a new version from it.",
    )


def _check(session: Session, actor: Actor, selection: Selection) -> None:
    """What only the database knows: whether runs and students are there. Raises InvalidForm."""
    errors = {}
    if missing := set(selection.runs) - queries.known_runs(session, actor.workspace_id, selection.runs):
        errors["runs"] = f"there is no run {min(missing)}"
    students = {profile.id for profile in queries.students(session, actor.workspace_id)}
    if selection.student is not None and selection.student not in students:
        errors["student"] = f"there is no student profile {selection.student}"
    if errors:
        raise InvalidForm(errors)


def _add_version(
    session: Session, actor: Actor, curriculum: Curriculum, number: int, selection: Selection
) -> CurriculumVersion:
    version = CurriculumVersion(
        workspace_id=actor.workspace_id,
        curriculum_id=curriculum.id,
        number=number,
        selection=selection.model_dump(mode="json"),
    )
    session.add(version)
    session.flush()
    return version
