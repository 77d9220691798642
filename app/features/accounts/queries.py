"""Every select of the accounts feature."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, Row, delete, func, or_, select, update

from app.db import Session
from app.domain.actor import Actor, Role
from app.features.accounts.schemas import Scope, SessionRow, SignedIn, TokenHolder, TokenRow
from app.models import ApiToken, Membership, SignInLink, User, WebSession, Workspace

KEY_DIGITS = 16
# One number for the making of the local owner among the advisory locks of a shared server.
_OWNER_LOCK = 7_216_042


def from_now(lifetime: timedelta) -> ColumnElement[datetime]:
    """A moment by the clock of the database, which is the only one that counts."""
    return func.now() + lifetime


def count_workspaces(session: Session) -> int:
    return session.execute(select(func.count()).select_from(Workspace)).scalar_one()


def lock_owner(session: Session) -> None:
    """Until the end of the transaction: two processes that start at once make one owner."""
    session.execute(select(func.pg_advisory_xact_lock(_OWNER_LOCK)))


def member_by_email(session: Session, email: str) -> Actor | None:
    row = session.execute(
        select(Membership.workspace_id, Membership.user_id, Membership.role, User.name)
        .join(User, User.id == Membership.user_id)
        .where(User.email == email, User.deactivated_at.is_(None))
        .order_by(Membership.workspace_id)
        .limit(1)
    ).first()
    return _actor(row) if row else None


def _actor(row: Row[int, int, str, str]) -> Actor:
    workspace_id, user_id, role, name = row
    return Actor(workspace_id, user_id, Role(role), name)


def user(session: Session, actor: Actor) -> User:
    return session.execute(select(User).where(User.id == actor.user_id)).scalar_one()


# --- Sign-in links and sessions ---------------------------------------------------------------------------------


def use_link(session: Session, digest: str) -> Actor | None:
    """Marks the link as used; None where it is unknown, used or expired. Of two at once one gets it."""
    used = (
        update(SignInLink)
        .where(SignInLink.digest == digest, SignInLink.used_at.is_(None), SignInLink.expires_at > func.now())
        .values(used_at=func.now())
        .returning(SignInLink.workspace_id, SignInLink.user_id)
    )
    link = session.execute(used).first()
    if link is None:
        return None
    row = session.execute(
        select(Membership.workspace_id, Membership.user_id, Membership.role, User.name)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.workspace_id == link.workspace_id,
            Membership.user_id == link.user_id,
            User.deactivated_at.is_(None),
        )
    ).first()
    return _actor(row) if row else None


def delete_expired(session: Session) -> None:
    session.execute(delete(SignInLink).where(SignInLink.expires_at < func.now() - timedelta(days=1)))
    session.execute(delete(WebSession).where(WebSession.expires_at < func.now()))


def signed_in(session: Session, digest: str) -> SignedIn | None:
    row = session.execute(
        select(WebSession, Membership.role, User.name, User.email, Workspace.name)
        .join(
            Membership,
            (Membership.workspace_id == WebSession.workspace_id) & (Membership.user_id == WebSession.user_id),
        )
        .join(User, User.id == WebSession.user_id)
        .join(Workspace, Workspace.id == WebSession.workspace_id)
        .where(WebSession.digest == digest, WebSession.expires_at > func.now(), User.deactivated_at.is_(None))
    ).first()
    if row is None:
        return None
    web, role, name, email, workspace = row
    return SignedIn(
        Actor(web.workspace_id, web.user_id, Role(role), name), email, workspace, web.csrf, digest, web.expires_at
    )


def renew_session(session: Session, digest: str, lifetime: timedelta, step: timedelta) -> None:
    """Moves the expiry to `lifetime` from now, written at most once per `step`; what has ended meanwhile stays so."""
    session.execute(
        update(WebSession)
        .where(
            WebSession.digest == digest,
            WebSession.expires_at > func.now(),
            WebSession.expires_at < func.now() + lifetime - step,
        )
        .values(expires_at=from_now(lifetime))
    )


def delete_session(session: Session, digest: str) -> None:
    session.execute(delete(WebSession).where(WebSession.digest == digest))


def delete_session_by_key(session: Session, actor: Actor, key: str) -> bool:
    """Whether a session of the actor's own began with `key`, and is gone now."""
    gone = session.execute(
        delete(WebSession)
        .where(
            WebSession.workspace_id == actor.workspace_id,
            WebSession.user_id == actor.user_id,
            func.left(WebSession.digest, KEY_DIGITS) == key,
        )
        .returning(WebSession.digest)
    )
    return gone.first() is not None


def sessions(session: Session, actor: Actor, current: str, limit: int = 100) -> list[SessionRow]:
    rows = session.execute(
        select(WebSession)
        .where(
            WebSession.workspace_id == actor.workspace_id,
            WebSession.user_id == actor.user_id,
            WebSession.expires_at > func.now(),
        )
        .order_by(WebSession.created_at.desc())
        .limit(limit)
    ).scalars()
    return [
        SessionRow(row.digest[:KEY_DIGITS], row.browser, row.created_at, row.expires_at, row.digest == current)
        for row in rows
    ]


# --- API tokens -------------------------------------------------------------------------------------------------


def token_holder(session: Session, digest: str) -> TokenHolder | None:
    row = session.execute(
        select(ApiToken.id, ApiToken.scope, ApiToken.workspace_id, ApiToken.user_id, Membership.role, User.name)
        .join(Membership, (Membership.workspace_id == ApiToken.workspace_id) & (Membership.user_id == ApiToken.user_id))
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.digest == digest,
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > func.now(),
            User.deactivated_at.is_(None),
        )
    ).first()
    if row is None:
        return None
    session.execute(
        update(ApiToken)
        .where(
            ApiToken.id == row.id,
            or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < func.now() - timedelta(minutes=1)),
        )
        .values(last_used_at=func.now())
    )
    return TokenHolder(Actor(row.workspace_id, row.user_id, Role(row.role), row.name), cast("Scope", row.scope))


def tokens(session: Session, actor: Actor, limit: int = 100) -> list[TokenRow]:
    """The actor's own tokens that are still good, newest first."""
    rows = session.execute(
        select(ApiToken)
        .where(
            ApiToken.workspace_id == actor.workspace_id,
            ApiToken.user_id == actor.user_id,
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > func.now(),
        )
        .order_by(ApiToken.id.desc())
        .limit(limit)
    ).scalars()
    return [
        TokenRow(row.id, row.name, cast("Scope", row.scope), row.created_at, row.expires_at, row.last_used_at)
        for row in rows
    ]


def revoke_token(session: Session, actor: Actor, token_id: int) -> str | None:
    """The name of the actor's token that is revoked now; None where there is no such token."""
    return session.execute(
        update(ApiToken)
        .where(
            ApiToken.id == token_id,
            ApiToken.workspace_id == actor.workspace_id,
            ApiToken.user_id == actor.user_id,
            ApiToken.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
        .returning(ApiToken.name)
    ).scalar()
