"""Signing in without passwords: a one-time link, printed where the product runs, opens a session in a browser."""

from __future__ import annotations

from datetime import timedelta

from app import audit
from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import InvalidInput, NotFound
from app.features.accounts import credentials, queries
from app.features.accounts.schemas import Scope, SignedIn, TokenHolder
from app.models import ApiToken, Membership, SignInLink, User, WebSession, Workspace

LINK_LIFETIME = timedelta(hours=1)
SESSION_LIFETIME = timedelta(days=14)  # from the last use
SESSION_STEP = timedelta(hours=1)  # how exactly the last use is known
TOKEN_DAYS = range(1, 366)
OWNER_EMAIL = "owner@localhost"


def ensure_local_owner(session: Session) -> Actor:
    """The owner of the local workspace; both are made at the first call."""
    queries.lock_owner(session)
    actor = queries.member_by_email(session, OWNER_EMAIL)
    if actor is None:
        workspace, user = Workspace(name="Local"), User(email=OWNER_EMAIL, name="Owner")
        session.add_all([workspace, user])
        session.flush()
        session.add(Membership(workspace_id=workspace.id, user_id=user.id, role=Role.OWNER.value))
        actor = Actor(workspace.id, user.id, Role.OWNER, user.name)
        audit.record(session, actor, "workspace.created", f"workspaces/{workspace.id}")
    return actor


def create_sign_in_link(session: Session, actor: Actor) -> str:
    """The token of a link that signs `actor` in once, within the hour."""
    secret = credentials.new_secret()
    session.add(
        SignInLink(
            digest=credentials.digest(secret),
            workspace_id=actor.workspace_id,
            user_id=actor.user_id,
            expires_at=queries.from_now(LINK_LIFETIME),
        )
    )
    audit.record(session, actor, "sign_in_link.created", f"users/{actor.user_id}")
    return secret


def sign_in(session: Session, token: str, *, browser: str = "", previous: str = "") -> str:
    """Uses up a link; the secret of a new session, in place of the browser's `previous` one.

    Raises InvalidInput with one and the same message for a link that is unknown, used or expired.
    """
    actor = queries.use_link(session, credentials.digest(token))
    if actor is None:
        raise InvalidInput(
            "This link does not work: it was used already, has expired, or was never made.",
            field="link",
            remedy="Run `cairn signin` where Cairn runs: it prints a new one.",
        )
    queries.delete_expired(session)
    if previous:
        queries.delete_session(session, credentials.digest(previous))
    secret = credentials.new_secret()
    session.add(
        WebSession(
            digest=credentials.digest(secret),
            workspace_id=actor.workspace_id,
            user_id=actor.user_id,
            csrf=credentials.new_secret(),
            browser=browser[:300],
            expires_at=queries.from_now(SESSION_LIFETIME),
        )
    )
    audit.record(session, actor, "session.opened", f"users/{actor.user_id}", browser=browser[:300])
    return secret


def resolve_session(session: Session, secret: str) -> SignedIn | None:
    """Whose session this is; None where it is unknown or over. Using it makes it last longer."""
    digest = credentials.digest(secret)
    found = queries.signed_in(session, digest)
    if found is not None:
        queries.renew_session(session, digest, SESSION_LIFETIME, SESSION_STEP)
    return found


def session_stands(session: Session, secret: str) -> bool:
    """Whether a session goes on. To look does not make it last longer: an open page is not somebody using it."""
    return queries.signed_in(session, credentials.digest(secret)) is not None


def sign_out(session: Session, signed_in: SignedIn) -> None:
    queries.delete_session(session, signed_in.digest)
    audit.record(session, signed_in.actor, "session.closed", f"users/{signed_in.actor.user_id}")


def close_session(session: Session, actor: Actor, key: str) -> None:
    """Signs another browser of the actor out."""
    if not queries.delete_session_by_key(session, actor, key):
        raise NotFound("There is no such session.", remedy="It may have ended already.")
    audit.record(session, actor, "session.revoked", f"users/{actor.user_id}", key=key)


def rename(session: Session, actor: Actor, name: str) -> None:
    """Sets the name that others see."""
    name = _label(name, "name")
    queries.user(session, actor).name = name
    audit.record(session, actor, "user.renamed", f"users/{actor.user_id}", name=name)


def create_api_token(session: Session, actor: Actor, name: str, scope: Scope, days: int) -> str:
    """The token itself, which is not kept and so can't be shown again."""
    name = _label(name, "name")
    if days not in TOKEN_DAYS:
        raise InvalidInput("A token lasts between 1 and 365 days.", field="days")
    if scope == "write":
        actor.require(Role.MEMBER)
    token = credentials.new_api_token()
    row = ApiToken(
        workspace_id=actor.workspace_id,
        user_id=actor.user_id,
        name=name,
        digest=credentials.digest(token),
        scope=scope,
        expires_at=queries.from_now(timedelta(days=days)),
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "api_token.created", f"tokens/{row.id}", name=name, scope=scope, days=days)
    return token


def resolve_api_token(session: Session, token: str) -> TokenHolder | None:
    """Who brings this token; None where it is malformed, unknown, expired or revoked."""
    return queries.token_holder(session, credentials.digest(token)) if credentials.is_api_token(token) else None


def revoke_api_token(session: Session, actor: Actor, token_id: int) -> None:
    name = queries.revoke_token(session, actor, token_id)
    if name is None:
        raise NotFound("There is no such token.", remedy="It may have been revoked already.")
    audit.record(session, actor, "api_token.revoked", f"tokens/{token_id}", name=name)


def _label(text: str, field: str) -> str:
    """`text` without surrounding spaces, where it can stand in a list. Raises InvalidInput."""
    text = text.strip()
    if not 1 <= len(text) <= 100:
        raise InvalidInput("Write between 1 and 100 characters.", field=field)
    if not text.isprintable():
        raise InvalidInput("Use printable characters only, on one line.", field=field)
    return text
