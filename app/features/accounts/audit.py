"""Who did what to what: a row in the transaction of the deed, so that one never stands without the other."""

from __future__ import annotations

from app.db import Session
from app.domain.actor import Actor
from app.models import AuditEvent


def record(session: Session, actor: Actor, action: str, target: str, **detail: object) -> None:
    """`action` is `<thing>.<deed>` such as seed_set.imported; `target` names the thing such as seed_set:7."""
    session.add(
        AuditEvent(
            workspace_id=actor.workspace_id, user_id=actor.user_id, action=action, target=target, detail=dict(detail)
        )
    )
