"""People, what they may do, and what they did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Key, Now, WorkspaceId


class Workspace(Base):
    """The wall between teams: every row below belongs to one."""

    __tablename__ = "workspace"

    id: Mapped[Key]
    name: Mapped[str]
    created_at: Mapped[Now]


class User(Base):
    __tablename__ = "user"

    id: Mapped[Key]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[Now]
    deactivated_at: Mapped[datetime | None]


class Membership(Base):
    __tablename__ = "membership"
    __table_args__ = (CheckConstraint("role in ('owner', 'member', 'viewer')", name="role"),)

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str]
    created_at: Mapped[Now]


class SignInLink(Base):
    """A one-time link; only the SHA-256 of its token is kept."""

    __tablename__ = "sign_in_link"

    digest: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class WebSession(Base):
    """A signed-in browser; only the SHA-256 of its cookie is kept."""

    __tablename__ = "session"

    digest: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str]
    browser: Mapped[str] = mapped_column(default="")
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A token for programs: shown once, kept as SHA-256, scoped, expiring, revocable."""

    __tablename__ = "api_token"

    id: Mapped[Key]
    workspace_id: Mapped[WorkspaceId]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("scope in ('read', 'write')", name="scope"),)


class AuditEvent(Base):
    """Who did what to what; written in the transaction of the deed."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[Key]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    action: Mapped[str]
    target: Mapped[str]
    detail: Mapped[dict[str, object]] = mapped_column(default=dict)
    at: Mapped[Now]
