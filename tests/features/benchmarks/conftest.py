"""Somebody with a workspace, files of benchmarks, and chains that hold what one wants."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.db import Session, complete, unit_of_work
from app.domain.actor import Actor
from app.domain.difficulty import Band
from app.domain.problem import Problem, Reply
from app.domain.tree import Direction, Place, Step
from app.features.benchmarks import service
from app.features.benchmarks.schemas import ImportReport
from app.features.runs import claims, stages
from app.features.runs.claims import Claim
from tests.support import refining

Bring = Callable[..., ImportReport]

STATEMENT = (
    "Given several ascending lists of numbers, return one ascending list that keeps every number as often as it "
    "occurs in all of the lists together."
)
CODE = """
def merge(runs, limit):
    out = []
    while len(out) < limit and any(runs):
        best = min((run[0], at) for at, run in enumerate(runs) if run)
        out.append(runs[best[1]].pop(0))
    return out
"""
ALIKE = CODE.replace("merge", "f").replace("best", "least").replace("return out", "return out[:]")
UNLIKE = "def f(text):\n    return sorted(text.split(), key=str.lower)[::-1]"


@pytest.fixture
def ada(database: str, broker: str) -> Actor:
    return refining.owner_with_seeds(4)


@pytest.fixture
def bring(ada: Actor, tmp_path: Path) -> Bring:
    """Imports records as `cairn benchmarks import` does."""

    def bring(*records: dict[str, object], name: str = "", by: Actor = ada) -> ImportReport:
        path = tmp_path / "set.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        with unit_of_work() as session:
            return service.import_path(session, by, path, name)

    return bring


def claimed(actor: Actor, **config: object) -> list[Claim]:
    run_id = refining.start(actor, **{"environments": ["induction"]} | config)
    with unit_of_work() as session:
        return claims.claim_chains(session, run_id, "lane", 100, alone=False)


def add(claim: Claim, program: str = UNLIKE, message: str = "") -> int:
    """A checked variant of the chain."""
    with unit_of_work() as session:
        return added(session, claim, program, message)


def added(session: Session, claim: Claim, program: str = UNLIKE, message: str = "") -> int:
    problem = Problem("induction", program, (("a",),), (1,), message)
    step, provenance = Step(Direction.FIRST, Band(0.35, 0.65)), stages.Provenance("hash", "1", "full")
    took = refining.took("proposing")
    made = complete(session, stages.save_proposal(claim, Place(1), step, None, Reply("…"), provenance, took))
    stages.save_compared(session, claim, Place(1), made, stages.Checked.of(problem), refining.took("checking"))
    return made
