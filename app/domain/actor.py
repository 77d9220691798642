"""Who acts, and in which workspace: handed to every use case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.errors import Forbidden


class Role(StrEnum):
    VIEWER = "viewer"
    MEMBER = "member"
    OWNER = "owner"


_RANK = {Role.VIEWER: 0, Role.MEMBER: 1, Role.OWNER: 2}


@dataclass(frozen=True, slots=True)
class Actor:
    workspace_id: int
    user_id: int
    role: Role
    name: str = ""

    def require(self, role: Role) -> None:
        """Raises Forbidden below `role`."""
        if _RANK[self.role] < _RANK[role]:
            raise Forbidden(
                f"This needs the role {role.value}; yours is {self.role.value}.",
                remedy="Ask an owner of the workspace.",
            )
