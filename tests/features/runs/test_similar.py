"""Which variants are marked as similar to which, whoever was grown first."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from itertools import permutations

import pytest
from sqlalchemy import select, update

from app.db import Session, complete, unit_of_work
from app.direct import Direct
from app.domain.actor import Actor
from app.domain.difficulty import Band
from app.domain.fingerprint import fingerprint
from app.domain.problem import Problem, Reply
from app.domain.sketch import NEAR, bands, similarity, sketch
from app.domain.tree import Direction, Place, Step
from app.errors import LeaseLost
from app.features.chains import service as chains
from app.features.curricula import queries as curricula
from app.features.curricula.schemas import Selection
from app.features.curricula.selection import evaluate
from app.features.runs import claims, stages
from app.features.runs.claims import Claim
from app.models import Sketch, Variant
from tests.support import refining
from tests.support.at_once import overlapping
from tests.support.problems import FAMILIES

STEP = Step(Direction.FIRST, Band(0.35, 0.65))
PROVENANCE = stages.Provenance("hash", "1", "full")
LONG = FAMILIES[1].versions[1][1]
OTHER = FAMILIES[0].versions[2][1]
# Each is close to LONG, and so to the others.
CLOSE = [LONG.replace("+ 1 +", f"+ {constant} +", 1) for constant in range(1, 5)]
pytestmark = pytest.mark.usefixtures("database", "broker")


@pytest.fixture
def ada() -> Actor:
    return refining.owner_with_seeds(4)


def claimed(actor: Actor, **config: object) -> list[Claim]:
    """The chains of a new run, in its order."""
    run_id = refining.start(actor, **{"environments": ["deduction"]} | config)
    with unit_of_work() as session:
        return claims.claim_chains(session, run_id, "lane", 100, alone=False)


def add(claim: Claim, program: str, turn: int = 1) -> int:
    with unit_of_work() as session:
        return added(session, claim, program, turn)


def added(session: Session, claim: Claim, program: str, turn: int = 1) -> int:
    problem, place = Problem("deduction", program, (("a b", 3),), (1,)), Place(turn)
    took = refining.took("proposing")
    variant = complete(session, stages.save_proposal(claim, place, STEP, None, Reply("…"), PROVENANCE, took))
    stages.save_compared(session, claim, place, variant, stages.Checked.of(problem), refining.took("checking"))
    return variant


def grow(claim: Claim, program: str, turn: int = 1) -> bool:
    """As `add`, on a connection that an event loop drives; whether that could be done."""
    problem, place = Problem("deduction", program, (("a b", 3),), (1,)), Place(turn)
    checked, took = stages.Checked.of(problem), refining.took("checking")

    async def save() -> bool:
        async with aclosing(Direct()) as direct:
            proposed = stages.save_proposal(claim, place, STEP, None, Reply("…"), PROVENANCE, took)
            variant = await direct.run(proposed)
            return await direct.run(stages.save_problem(claim, place, variant, checked, took))

    return asyncio.run(save())


def marks(run_id: int, column: str = "near_of") -> dict[str, str | None]:
    """Place of each variant -> that of the one which it is marked with."""
    with unit_of_work() as session:
        rows = session.execute(
            select(Variant.id, Sketch.arm, Sketch.position, Sketch.turn, getattr(Variant, column))
            .join(Sketch, Sketch.variant_id == Variant.id)
            .where(Variant.run_id == run_id)
        ).all()
    names = {variant_id: f"{arm} {position}.{turn}" for variant_id, arm, position, turn, _ in rows}
    return {names[variant_id]: names.get(mark) if mark else None for variant_id, *_, mark in rows}


def test_marks_do_not_depend_on_the_order_of_work(ada: Actor) -> None:
    """The fourth is close to the others, and an unlike one stands between."""
    for order in list(permutations(range(4)))[::5]:
        held = claimed(ada)
        for at in order:
            add(held[at], [CLOSE[0], OTHER, CLOSE[1], CLOSE[2]][at])
        assert marks(held[0].run_id) == {
            "main 1.1": None,
            "main 2.1": None,
            "main 3.1": "main 1.1",
            "main 4.1": "main 1.1",
        }
        assert refining.check(held[0].run_id).problems == ()


def test_two_at_once_see_each_other(ada: Actor) -> None:
    """The later one's transaction is open still: the earlier one waits for it, and marks it."""
    first, second, *_ = claimed(ada)
    overlapping(lambda session: added(session, second, CLOSE[1]), lambda session: added(session, first, CLOSE[0]))
    assert marks(first.run_id) == {"main 1.1": None, "main 2.1": "main 1.1"}


def test_lanes_mark_as_a_unit_of_work_does(ada: Actor) -> None:
    """Copies and similar ones, in other trees and in their own."""
    seen = []
    for save in (add, grow):
        first, second, third, fourth = claimed(ada)
        for claim, program in ((third, CLOSE[0]), (second, CLOSE[1]), (first, CLOSE[0]), (fourth, OTHER)):
            save(claim, program)
        with unit_of_work() as session:
            complete(session, stages.save_turn(first, 1))
            complete(session, stages.save_turn(fourth, 1))
        save(first, CLOSE[1], turn=2)
        save(fourth, OTHER, turn=2)
        seen.append((marks(first.run_id), marks(first.run_id, "duplicate_of")))
    near, copies = seen[0]
    assert seen[1] == seen[0]
    assert (near["main 2.1"], near["main 1.2"], copies["main 3.1"]) == ("main 1.1", None, "main 1.1")


def test_a_lane_waits_for_who_is_about_to_add_a_similar_one(ada: Actor) -> None:
    first, second, *_ = claimed(ada)
    _, later = overlapping(lambda session: added(session, first, CLOSE[0]), lambda _: grow(second, CLOSE[1]))
    assert later.result()
    assert marks(first.run_id) == {"main 1.1": None, "main 2.1": "main 1.1"}


def test_a_lane_that_lost_its_claim_saves_no_problem(ada: Actor) -> None:
    first, *_ = claimed(ada)
    with pytest.raises(LeaseLost):
        grow(replace(first, epoch=first.epoch + 1), CLOSE[0])
    assert marks(first.run_id) == {}


def steps(other: int = 40) -> str:
    """A program of 40 steps, of which three, from `other` on, have a number of their own."""
    numbers = [number + 1000 if other <= number < other + 3 else number * number for number in range(40)]
    return "\n".join(
        ["def f(x):", *(f"    x = x * {at + 3} + {number}" for at, number in enumerate(numbers)), "    return x\n"]
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_third_one_is_marked_with_the_earliest_of_two_at_once(ada: Actor, order: tuple[int, int]) -> None:
    """The two are unlike each other, so that neither waits for the other before it looks at the third."""
    *two, third = claimed(ada)[:3]
    programs = [steps(4), steps(35)]
    signatures = [sketch(program).signature for program in programs]
    assert not set(bands(signatures[0])) & set(bands(signatures[1]))
    assert all(similarity(signature, sketch(steps()).signature) >= NEAR for signature in signatures)
    add(third, steps())
    first, second = (lambda session, at=at: added(session, two[at], programs[at]) for at in order)
    overlapping(first, second)
    assert marks(third.run_id) == {"main 1.1": None, "main 2.1": None, "main 3.1": "main 1.1"}
    assert refining.check(third.run_id).problems == ()


def test_the_mark_says_how_similar_and_makes_unusable(ada: Actor) -> None:
    first, second, *_ = claimed(ada)
    original, copy = add(first, CLOSE[0]), add(second, CLOSE[1])
    with unit_of_work() as session:
        row = chains.variant_row(session, ada, copy)
        candidates = curricula.candidates(session, ada.workspace_id, Selection(approved_only=False))
    assert row.near is not None
    assert row.near.variant_id == original
    assert 0.85 <= row.near.similarity < 1
    assert (row.similar, row.state) == (True, "waiting for attempts")
    assert [candidate.similar for candidate in sorted(candidates, key=lambda c: c.place)] == [False, True]


def test_curricula_leave_similar_ones_out_and_say_so(ada: Actor) -> None:
    first, second, *_ = claimed(ada)
    add(first, CLOSE[0]), add(second, CLOSE[1])
    with unit_of_work() as session:
        selection = Selection(approved_only=False, bin_set="kept")
        found = curricula.candidates(session, ada.workspace_id, selection)
    measured = [replace(candidate, rate=0.5, passed=4, failed=4) for candidate in found]
    evaluation = evaluate(measured, selection)
    assert len(evaluation.chosen) == 1
    assert [c.similar for c in evaluation.excluded["similar"]] == [True]


def test_stones_of_one_tree_may_be_similar_but_not_the_same(ada: Actor) -> None:
    first, *_ = claimed(ada)
    for turn, program in enumerate((CLOSE[0], CLOSE[1]), 1):
        add(first, program, turn)
        with unit_of_work() as session:
            complete(session, stages.save_turn(first, turn))
    assert set(marks(first.run_id).values()) == {None}


def test_an_arm_is_compared_with_itself(ada: Actor) -> None:
    held = claimed(ada, baseline=True)
    main, single = (next(claim for claim in held if claim.arm == arm) for arm in ("main", "baseline"))
    add(main, CLOSE[0]), add(single, CLOSE[1])
    assert set(marks(main.run_id).values()) == {None}


def test_what_turns_out_too_long_marks_nothing(ada: Actor) -> None:
    one, two, three, _ = claimed(ada)
    first, *_ = add(one, CLOSE[0]), add(two, CLOSE[1]), add(three, CLOSE[2])
    key = fingerprint(Problem("deduction", CLOSE[0], ((),), ()))
    with unit_of_work() as session:
        stages.take_back(
            session,
            one,
            Place(1),
            first,
            "too_long",
            "It does not fit.",
            key,
            refining.took("attempting"),
            ends_turn=True,
        )
    assert marks(one.run_id) == {"main 2.1": None, "main 3.1": "main 2.1"}


@pytest.mark.parametrize(("compared", "similar"), [("run", False), ("workspace", True)])
def test_older_runs_are_told_and_cost_what_the_settings_say(ada: Actor, compared: str, similar: bool) -> None:
    old, new = claimed(ada)[0], claimed(ada, compared_with=compared)[0]
    later = add(new, CLOSE[1])  # the older run is grown after the newer one
    earlier = add(old, CLOSE[0])
    with unit_of_work() as session:
        row = chains.variant_row(session, ada, later)
        assert chains.variant_row(session, ada, earlier).known is None
    assert row.known is not None
    assert (row.known.variant_id, row.known.run_id) == (earlier, old.run_id)
    assert row.near is None
    assert row.similar is similar


def test_other_workspaces_are_never_compared(ada: Actor) -> None:
    ours, theirs = claimed(ada)[0], claimed(refining.owner_with_seeds(1), compared_with="workspace")[0]
    add(ours, CLOSE[0]), add(theirs, CLOSE[0])
    assert marks(theirs.run_id, "known_of") == {"main 1.1": None}


def test_the_ledger_check_finds_a_wrong_mark(ada: Actor) -> None:
    held = claimed(ada)
    ids = [add(claim, program) for claim, program in zip(held, CLOSE, strict=True)]
    with unit_of_work() as session:
        session.execute(update(Variant).where(Variant.id == ids[2]).values(near_of=ids[1]))
    (problem,) = refining.check(held[0].run_id).problems
    assert problem == f"variant {ids[2]}: marked as similar to {ids[1]}, by its sketch to {ids[0]}"
