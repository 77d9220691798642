"""Measuring a selection of variants again with another student."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app import audit
from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import Conflict, InvalidInput, NotFound
from app.features.remeasurements import queries
from app.features.remeasurements.schemas import (
    MOST_VARIANTS,
    Chosen,
    RemeasureConfig,
    RemeasurementRow,
    VariantChoice,
)
from app.features.runs import service as runs
from app.jobs import REMEASURE, enqueue
from app.models import Remeasurement


@dataclass(frozen=True, slots=True)
class Preview:
    """What a selection comes to. `left_out` counts by reason what will not be measured."""

    ready: Sequence[Chosen]
    left_out: Sequence[tuple[str, int]]


def preview(session: Session, actor: Actor, selection: VariantChoice, config: RemeasureConfig | None) -> Preview:
    """What would be measured; without a `config` nothing is known of who measured what. Raises NotFound."""
    profile = None
    if config is not None:
        profile = runs.known_profile(session, actor.workspace_id, "student", config.student)
    return _preview(session, actor, selection, profile)


def create(session: Session, actor: Actor, selection: VariantChoice, config: RemeasureConfig) -> RemeasurementRow:
    """Records the request and sends a lane after the commit.

    Raises InvalidInput where nothing of the selection can be measured or it is too large, NotFound, and Forbidden below
    the role member.
    """
    actor.require(Role.MEMBER)
    profile = runs.profile(session, actor.workspace_id, "student", config.student)
    queries.hold_profile(session, actor.workspace_id, profile)
    found = _preview(session, actor, selection, profile)
    if not found.ready:
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.left_out) or "no variant"
        raise InvalidInput(
            f"Nothing of this selection can be measured: {reasons}.",
            field="variants",
            remedy="Choose valid variants, or another student.",
        )
    if len(found.ready) > MOST_VARIANTS:
        raise InvalidInput(
            f"These are {len(found.ready):,} variants.", field="variants", remedy=f"Choose at most {MOST_VARIANTS:,}."
        )
    model = str(config.student.options.get("model") or config.student.engine)
    remeasurement = Remeasurement(
        workspace_id=actor.workspace_id,
        name=config.name or f"{len(found.ready):,} variant{'s' * (len(found.ready) > 1)} with {model}",
        config=config.model_dump(mode="json"),
        student_profile_id=profile,
        created_by=actor.user_id,
    )
    session.add(remeasurement)
    session.flush()
    queries.add_items(session, remeasurement, [each.variant_id for each in found.ready])
    _record(session, actor, remeasurement, "started", variants=len(found.ready))
    enqueue(session, REMEASURE, remeasurement.id)
    return find(session, actor, remeasurement.id)


def find(session: Session, actor: Actor, remeasurement_id: int) -> RemeasurementRow:
    """Raises NotFound."""
    found = queries.one(session, actor.workspace_id, remeasurement_id)
    if found is None:
        raise _unknown(remeasurement_id)
    return found


def pause(session: Session, actor: Actor, remeasurement_id: int) -> RemeasurementRow:
    """What is under way is dropped, and measured anew when it is resumed. Raises Conflict unless it runs."""
    return _change(session, actor, remeasurement_id, "paused", "running")


def resume(session: Session, actor: Actor, remeasurement_id: int) -> RemeasurementRow:
    """Raises Conflict unless it is paused."""
    found = _change(session, actor, remeasurement_id, "running", "paused")
    enqueue(session, REMEASURE, remeasurement_id)
    return found


def cancel(session: Session, actor: Actor, remeasurement_id: int) -> RemeasurementRow:
    """What is measured stays. Raises Conflict where it is over."""
    found = _change(session, actor, remeasurement_id, "cancelled", "running", "paused")
    queries.forget_unjudged(session, remeasurement_id)
    return found


def _change(session: Session, actor: Actor, remeasurement_id: int, state: str, *expected: str) -> RemeasurementRow:
    actor.require(Role.MEMBER)
    remeasurement = queries.locked(session, actor.workspace_id, remeasurement_id)
    if remeasurement is None:
        raise _unknown(remeasurement_id)
    if remeasurement.state not in expected:
        raise Conflict(
            f"This is {remeasurement.state} by now.",
            remedy="Reload the page to see where it stands; nothing was changed.",
        )
    remeasurement.state = state
    remeasurement.error = ""
    remeasurement.epoch += 1  # whoever drives it is fenced off
    remeasurement.owner = remeasurement.lease_expires_at = None
    session.flush()
    _record(session, actor, remeasurement, {"running": "resumed"}.get(state, state))
    return find(session, actor, remeasurement_id)


def _preview(session: Session, actor: Actor, selection: VariantChoice, profile: int | None) -> Preview:
    if selection.run is not None and not queries.has_run(session, actor.workspace_id, selection.run):
        raise NotFound(f"There is no run {selection.run} in this workspace.")
    if selection.revision is not None and not queries.has_revision(session, actor.workspace_id, selection.revision):
        raise NotFound("There is no curriculum version with this revision in this workspace.")
    found = queries.chosen(session, actor.workspace_id, selection, profile)
    if strange := set(selection.variants) - {each.variant_id for each in found}:
        raise NotFound(f"There is no variant {min(strange)} in this workspace.")
    left_out = Counter(each.obstacle for each in found if each.obstacle)
    return Preview([each for each in found if not each.obstacle], sorted(left_out.items()))


def _record(session: Session, actor: Actor, remeasurement: Remeasurement, what: str, **details: object) -> None:
    audit.record(session, actor, f"remeasurement.{what}", f"remeasurements/{remeasurement.id}", **details)


def _unknown(remeasurement_id: int) -> NotFound:
    return NotFound(f"There is no remeasurement {remeasurement_id} in this workspace.")
