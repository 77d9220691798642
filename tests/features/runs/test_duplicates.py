"""Which of the same problems in several chains is the original."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from app.db import complete, unit_of_work
from app.domain.difficulty import Band
from app.domain.problem import Problem, Reply
from app.domain.tree import Direction, Place, Step
from app.features.runs import claims, stages
from app.features.runs.claims import Claim
from app.models import Variant
from tests.support import refining

FIRST = Place(1)
STEP = Step(Direction.FIRST, Band(0.35, 0.65))
PROBLEM = Problem("deduction", "def f(x):\n    return x", ((1,),), (1,))
CHECKED = replace(stages.Checked.of(PROBLEM), fingerprint="fingerprint")
pytestmark = pytest.mark.usefixtures("database", "broker")


def _claims() -> list[Claim]:
    run_id = refining.start(refining.owner_with_seeds(3), environments=["deduction"])
    with unit_of_work() as session:
        return claims.claim_chains(session, run_id, "lane", 3, alone=False)


def _checked(claim: Claim) -> int:
    """A variant of the chain that holds the one problem of all."""
    provenance = stages.Provenance("hash", "1", "full")
    with unit_of_work() as session:
        took = refining.took("proposing")
        variant = complete(session, stages.save_proposal(claim, FIRST, STEP, None, Reply("…"), provenance, took))
        stages.save_compared(session, claim, FIRST, variant, CHECKED, refining.took("checking"))
    return variant


def _originals() -> dict[int, int | None]:
    with unit_of_work() as session:
        return {row.id: row.duplicate_of for row in session.execute(select(Variant.id, Variant.duplicate_of))}


def test_the_first_in_the_run_is_the_original_whoever_came_first_in_time() -> None:
    one, two, three = _claims()
    last, middle, first = _checked(three), _checked(two), _checked(one)
    assert _originals() == {first: None, middle: first, last: first}


def test_a_problem_that_turns_out_too_long_is_no_original() -> None:
    one, two, three = _claims()
    first, middle, last = map(_checked, (one, two, three))
    with unit_of_work() as session:
        took = refining.took("attempting")
        stages.take_back(
            session, one, FIRST, first, "too_long", "It does not fit.", "fingerprint", took, ends_turn=True
        )
    assert _originals() == {first: None, middle: None, last: middle}
