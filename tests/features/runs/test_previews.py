"""A preview grows the whole run's first seeds, and tells what the rest would take."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from app.config import Price, settings
from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.features.runs import claims, previews, queries, service, waiting
from app.features.runs.previews import Estimate
from app.features.runs.schemas import parse
from app.models import AuditEvent, Chain, Run
from tests.support import builders, refining

WHOLE = {
    "seeds": {"set": "stdlib", "skip": 1},
    "environments": ["deduction", "abduction"],
    "turns": 2,
    "attempts": 4,
    "seed": 5,
}
pytestmark = pytest.mark.usefixtures("database", "broker", "quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)


def start(actor: Actor, **changes: object) -> int:
    with unit_of_work() as session:
        return service.preview(session, actor, parse(WHOLE | changes)).id


def estimate(run_id: int) -> Estimate | None:
    with unit_of_work() as session:
        return previews.estimate(session, queries.run_to_drive(session, run_id))


def test_a_preview_is_the_beginning_of_the_whole_run() -> None:
    actor = refining.owner_with_seeds(8)
    run_id = start(actor, until={"usable": 50})
    assert estimate(run_id) is None
    refining.drive(run_id)
    assert refining.check(run_id).problems == ()
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        assert (run.name, run.config["until"]) == ("Preview: stdlib, deduction, abduction", None)
        assert session.execute(select(func.count(Chain.seed_id.distinct()))).scalar_one() == 5
        assert session.execute(select(AuditEvent.action)).scalars().all()[-1] == "run.previewed"
    with unit_of_work() as session:
        whole = service.create_previewed(session, actor, run_id)
        whole_id = whole.id
        assert whole.name == "stdlib, deduction, abduction"
        assert whole.previews is None
    with unit_of_work() as session:
        assert service.create_previewed(session, actor, run_id).id == whole_id, "a second click"
        assert whole.config == parse(WHOLE | {"until": {"usable": 50}}).model_dump(mode="json")
    refining.drive(whole_id)
    for arm in ("main", "baseline"):
        first, all_ = _spent(run_id, arm), _spent(whole_id, arm)
        assert len(all_) == 14
        assert all_[:10] == first


def test_the_estimate_scales_what_its_seeds_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "prices", {"procedural": Price(completion=2.0, hour=3.0)})
    run_id = start(refining.owner_with_seeds(21))  # one is passed over: four times the preview
    refining.drive(run_id)
    with unit_of_work() as session:
        session.execute(update(Chain).values(student_completion_tokens=1_000_000))
    summary, found = refining.summary(run_id), estimate(run_id)
    assert found is not None
    assert summary.estimate == found
    assert (found.measured, found.seeds) == (5, {"deduction": 20, "abduction": 20})
    assert found.calls.mean == pytest.approx(4 * sum(arm.proposals for arm in summary.arms))
    assert found.attempts.mean == pytest.approx(4 * summary.spent.attempts)
    assert found.usable.mean == pytest.approx(4 * summary.main.usable)
    assert found.usable.low < found.usable.mean < found.usable.high
    assert found.usable_per_call is not None
    assert found.usable_per_call.mean == pytest.approx(summary.main.usable / summary.main.proposals)
    assert found.tokens.mean == found.tokens.low == 80_000_000
    assert found.hours.mean == pytest.approx(4 * summary.spent.hours)
    assert found.money is not None
    assert found.money.mean == pytest.approx(160 + 2 * 3.0 * found.hours.mean)
    assert found.caps_met == ()


def test_only_seeds_that_are_grown_to_their_end_stand_behind_it() -> None:
    run_id = start(refining.owner_with_seeds(7), caps={"attempts": 400})
    refining.drive(run_id)
    with unit_of_work() as session:
        session.execute(update(Chain).where(Chain.position.in_((1, 4))).values(state="stopped"))
    found = estimate(run_id)
    assert found is not None
    assert found.measured == 3
    assert found.caps_met == (("attempts",) if found.attempts.mean >= 400 else ())
    with unit_of_work() as session:
        session.execute(update(Chain).where(Chain.position.in_((5, 7))).values(state="open"))
    assert estimate(run_id) is None


def test_with_a_goal_it_reckons_with_the_seeds_that_the_goal_takes() -> None:
    run_id = start(refining.owner_with_seeds(31), until={"usable": 3, "bins": ["medium"]})
    refining.drive(run_id)
    found, summary = estimate(run_id), refining.summary(run_id)
    assert found is not None
    for name, seeds in found.seeds.items():
        usable = summary.main.usable_by_environment[name]["medium"]
        assert seeds == (min(30, -(-3 * 5 // usable)) if usable else 30)
    assert found.calls.mean < 30 / 5 * sum(arm.proposals for arm in summary.arms)


def test_what_the_whole_run_may_not_the_preview_may_not_either() -> None:
    actor = refining.owner_with_seeds(2)
    with pytest.raises(InvalidInput, match="no seed set"):
        start(actor, seeds={"set": "gone"})
    with pytest.raises(InvalidInput, match="asks for 900"):
        start(actor, seeds={"set": "stdlib", "count": 900})
    with unit_of_work() as session:
        viewer = builders.member(session, actor, "Vera", Role.VIEWER)
        stranger = builders.owner(session, "Sam")
    with pytest.raises(Forbidden):
        start(viewer)
    plain, run_id = refining.start(actor), start(actor)
    for who, which, refusal in (
        (actor, plain, Conflict), (stranger, run_id, NotFound), (viewer, run_id, Forbidden)
    ):  # fmt: skip
        with pytest.raises(refusal), unit_of_work() as session:
            service.create_previewed(session, who, which)


def test_lanes_give_way_to_a_preview_that_is_the_larger_one() -> None:
    actor = refining.owner_with_seeds(6)
    small = refining.start(actor, seeds={"set": "stdlib", "count": 1})
    with unit_of_work() as session:
        claims.take_slot(session, small, "small", "full")
    other = refining.start(actor)
    with unit_of_work() as session:
        assert not waiting.smaller_run(session, small, "small")
        service.cancel(session, actor, other)
    start(actor)
    with unit_of_work() as session:
        assert waiting.smaller_run(session, small, "small")


def _spent(run_id: int, arm: str) -> list[tuple[int, int, str]]:
    with unit_of_work() as session:
        rows = session.execute(
            select(Chain.seed_id, Chain.attempts, Chain.stop_reason)
            .where(Chain.run_id == run_id, Chain.arm == arm)
            .order_by(Chain.position)
        )
        return [(seed, attempts, reason) for seed, attempts, reason in rows]
