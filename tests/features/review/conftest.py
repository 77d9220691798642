"""A team before one grown chain."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.review.schemas import Ballot
from tests.support import builders


@dataclass(frozen=True)
class Team:
    """Three people of a workspace and the ids of a chain's variants, by their place."""

    ada: Actor
    grace: Actor
    viewer: Actor
    run_id: int
    variants: dict[str, int]
    hashes: dict[str, str]

    def approval(self, place: str, seen: int | None = 0) -> Ballot:
        return Ballot(kind="approve", content_hash=self.hashes[place], seen=seen)

    def rejection(self, place: str, reason: str = "trivial", comment: str = "", seen: int | None = 0) -> Ballot:
        return Ballot(kind="reject", reason=reason, comment=comment, content_hash=self.hashes[place], seen=seen)


@pytest.fixture
def team(database: str, broker: str) -> Team:
    with unit_of_work() as session:
        ada = builders.owner(session, "Ada")
        run = builders.run(session, ada)
        grown = builders.grown_chain(session, run, attempts=False)
        return Team(
            ada,
            builders.member(session, ada, "Grace"),
            builders.member(session, ada, "Vera", Role.VIEWER),
            run.id,
            {f"{v.turn}.{v.branch}": v.id for v in grown},
            {f"{v.turn}.{v.branch}": v.content_hash or "" for v in grown},
        )
