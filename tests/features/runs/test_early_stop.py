"""Chains that go nowhere leave their other turns unspent, where the run says so."""

import pytest
from sqlalchemy import select

from app.config import settings
from app.db import unit_of_work
from app.domain.difficulty import Band
from app.domain.tree import Direction, Node, Place, Step
from app.features.runs.early_stop import INVALID, SOLVED, UNSOLVED, went_nowhere
from app.features.runs.schemas import EarlyStop
from app.models import Chain, Measurement, Variant
from tests.support import refining

STEP = Step(Direction.FIRST, Band(0.35, 0.65))
End = float | str | None


def nodes(*turns: End | tuple[End, ...]) -> list[Node]:
    """A node for each end: a rate, an invalid code, or None for too few verdicts. A tuple is a turn with branches."""
    grown = []
    for turn, ends in enumerate(turns, 1):
        for branch, end in enumerate(ends if isinstance(ends, tuple) else (ends,), 1):
            invalid = end if isinstance(end, str) else None
            grown.append(Node(Place(turn, branch), STEP, None if isinstance(end, str) else end, invalid))
    return grown


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (("a", "b", "c"), INVALID),
        ((0.5, "a", "b", "c"), INVALID),
        (("a", "b", 0.5), None),
        (("a", "b"), None),
        ((("a", "b"), ("c", 0.5)), None),
        ((0.5, ("a", "b"), ("c", "d")), INVALID),
        ((0.0, 0.0, 0.0), UNSOLVED),
        ((1.0, 1.0, 1.0), SOLVED),
        ((0.0, 0.0, 1.0), None),
        ((0.0, 0.0, 0.03), None),
        ((0.5, 0.0, 0.0, 0.0), UNSOLVED),
        ((0.0, "a", 0.0, None, 0.0), UNSOLVED),
        (((0.0, 1.0), 0.0, 0.0), None),
        (((0.0, "a"), 0.0, 0.0), UNSOLVED),
    ],
)
def test_the_rule_looks_at_finished_variants_alone(turns: tuple[End, ...], reason: str | None) -> None:
    grown = nodes(*turns)
    assert went_nowhere(grown, EarlyStop(invalid=3, unmoved=3)) == reason
    assert went_nowhere(grown[::-1], EarlyStop(invalid=3, unmoved=3)) == reason
    assert went_nowhere(grown, EarlyStop()) is None


@pytest.mark.usefixtures("database", "broker")
def test_a_chain_without_movement_stops_and_the_baseline_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which chains do is found in a run without the rule; up to there both runs are the same."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    actor = refining.owner_with_seeds(4)
    shape = {"environments": ["induction", "abduction"], "turns": 5, "baseline": True, "attempts": 4}
    whole = refining.start(actor, **shape)
    refining.drive(whole)
    stopping = refining.start(actor, **shape, early_stop={"unmoved": 2})
    refining.drive(stopping)
    before, after = _chains(whole), _chains(stopping)
    expected = {
        key: (reason, turn)
        for key, grown in before.items()
        for turn in range(1, 5)
        if (reason := went_nowhere([n for n in grown if n.place.turn <= turn], EarlyStop(unmoved=2)))
        and key[0] == "main"
        and not any(
            went_nowhere([n for n in grown if n.place.turn <= sooner], EarlyStop(unmoved=2)) for sooner in range(turn)
        )
    }
    assert expected, "this seed set has chains that go nowhere"
    with unit_of_work() as session:
        ended = {
            (chain.arm, chain.position): (chain.stop_reason, chain.next_turn - 1)
            for chain in session.execute(select(Chain).where(Chain.run_id == stopping)).scalars()
        }
    assert {key: end for key, end in ended.items() if end != ("turns_used", 5)} == expected
    for key, grown in after.items():
        assert grown == before[key][: len(grown)]
    report, summary = refining.check(stopping), refining.summary(stopping)
    assert (report.state, report.problems) == ("finished", ())
    assert summary.main.turns_unspent == sum(5 - turn for _, turn in expected.values())
    assert summary.baseline is not None
    assert summary.baseline.turns_unspent == 0
    told = {end.text for end in summary.ends}
    assert told <= {"turns used", "went nowhere: 2 turns at 0 of 4", "went nowhere: 2 turns at 4 of 4"}
    assert len(told) > 1


def _chains(run_id: int) -> dict[tuple[str, int], list[Node]]:
    found: dict[tuple[str, int], list[Node]] = {}
    with unit_of_work() as session:
        rows = session.execute(
            select(Chain.arm, Chain.position, Variant, Measurement.rate)
            .join(Variant, Variant.chain_id == Chain.id)
            .outerjoin(Measurement, Measurement.variant_id == Variant.id)
            .where(Chain.run_id == run_id)
            .order_by(Chain.id, Variant.turn, Variant.branch)
        )
        for arm, position, variant, rate in rows:
            node = Node(Place(variant.turn, variant.branch), STEP, rate, variant.invalid_code)
            found.setdefault((arm, position), []).append(node)
    return found
