"""The audit log: who did what to what, in the transaction of the deed."""

from __future__ import annotations

from app.db import Session
from app.domain.actor import Actor
from app.models import AuditEvent


def record(session: Session, actor: Actor, action: str, target: str, **detail: object) -> None:
    """`action` is dotted and in the past tense of the domain (`run.cancelled`), `target` an address (`runs/7`)."""
    session.add(
        AuditEvent(workspace_id=actor.workspace_id, user_id=actor.user_id, action=action, target=target, detail=detail)
    )
