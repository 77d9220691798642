"""What the accounts feature gives out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.actor import Actor

Scope = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that is signed in."""

    actor: Actor
    email: str
    workspace: str
    csrf: str
    digest: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """A program that brought a valid API token."""

    actor: Actor
    scope: Scope


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session in a list. `key` is the start of its digest, enough to revoke it by."""

    key: str
    browser: str
    created_at: datetime
    expires_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An API token in a list; the token itself is known to nobody here."""

    id: int
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
