"""What a variant's decisions add up to: the last word that nobody took back, on the content as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

STATES = {"approve": "approved", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Vote:
    """One decision. `undoes` names the one that an undo takes back; `place` is the variant's address in its chain."""

    id: int
    variant_id: int
    user_id: int
    name: str
    kind: str
    undoes: int | None
    reason: str
    comment: str
    content_hash: str
    at: datetime

    @property
    def state(self) -> str:
        """How the variant stands by this vote."""
        return STATES.get(self.kind, "")

    @property
    def deed(self) -> str:
        return {"approve": "approved", "reject": "rejected", "undo": "took back a decision on"}[self.kind]

    def says(self, kind: str, reason: str, comment: str) -> bool:
        return (self.kind, self.reason, self.comment) == (kind, reason, comment)


def valid_votes(votes: Sequence[Vote], content_hash: str | None) -> list[Vote]:
    """The approvals and rejections that still count, oldest first."""
    undone = {vote.undoes for vote in votes}
    return [v for v in votes if v.kind != "undo" and v.id not in undone and v.content_hash == content_hash]


def standing(votes: Sequence[Vote], content_hash: str | None) -> str:
    """approved, rejected, or "" where nobody has decided."""
    counting = valid_votes(votes, content_hash)
    return counting[-1].state if counting else ""
