"""One lane in this process, with the real database, sandbox and procedural engine."""

import gc
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, text, update

from app.config import settings
from app.db import complete, unit_of_work
from app.domain.difficulty import Band
from app.domain.problem import Reply
from app.domain.tree import Direction, Place, Step
from app.errors import Conflict, LeaseLost
from app.features.runs import claims, service, stages, waiting
from app.features.runs.claims import QUARANTINE, SUSPECT
from app.features.runs.grow import Grower
from app.models import Attempt, Chain, Incident, LaneSlot, Measurement, Run, Variant
from tests.support import refining

PAST = text("now() - interval '1 second'")
pytestmark = pytest.mark.usefixtures("database", "broker", "quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane, frequent looks at pause and cancel."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)


def test_a_run_grows_its_trees_and_the_ledger_is_clean() -> None:
    actor = refining.owner_with_seeds()
    run_id = refining.start(actor, baseline=True)
    assert refining.drive(run_id) is False
    report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    assert report.chains == 8
    with unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(Variant)) == report.variants == 8 * 3
        assert session.scalar(select(func.count()).select_from(Attempt)) == report.attempts
        stored = session.execute(select(Measurement).limit(1)).scalar_one()
        assert stored.low <= stored.passed / (stored.passed + stored.failed) <= stored.high
        assert stored.isolation
        first = session.execute(select(Variant).where(Variant.turn == 1).limit(1)).scalar_one()
        assert first.prompt_hash
        assert first.environment_version
    summary = refining.summary(run_id)
    assert summary.main.proposals == summary.baseline.proposals == 12
    assert summary.main.usable > 0
    assert summary.progress == 1.0


def test_the_texts_of_a_chain_go_with_it_and_do_not_wait_for_the_collector() -> None:
    run_id = refining.start(refining.owner_with_seeds())
    gc.collect()
    gc.disable()
    try:
        refining.drive(run_id)
        assert [one for one in gc.get_objects() if isinstance(one, Grower)] == []
    finally:
        gc.enable()


def test_a_chain_that_is_stopped_goes_as_well() -> None:
    run_id = refining.start(refining.owner_with_seeds())
    looks = count()
    gc.collect()
    gc.disable()
    try:
        refining.drive(run_id, lambda: next(looks) > 1)
        assert [one for one in gc.get_objects() if isinstance(one, Grower)] == []
    finally:
        gc.enable()


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    actor = refining.owner_with_seeds()
    digests = []
    for seed in (5, 5, 6):
        run_id = refining.start(actor, seed=seed)
        refining.drive(run_id)
        digests.append(refining.check(run_id).digest)
    assert digests[0] == digests[1] != digests[2]


def test_branching_grows_several_children_per_turn() -> None:
    actor = refining.owner_with_seeds(1)
    run_id = refining.start(actor, branching=2, environments=["deduction"])
    refining.drive(run_id)
    assert refining.check(run_id).problems == ()
    with unit_of_work() as session:
        variants = session.execute(select(Variant).order_by(Variant.path)).scalars().all()
        assert [v.turn for v in sorted(variants, key=lambda v: (v.turn, v.branch))] == [1, 1, 2, 2, 3, 3]
        for variant in variants:
            below = [v for v in variants if v.path.startswith(variant.path)]
            assert variant.subtree == len(below)
            assert variant.depth == variant.path.count("/")


def test_progress_counts_the_turns_that_each_arm_has() -> None:
    """The baseline of a run with branches takes a turn for every proposal."""
    run_id = refining.start(refining.owner_with_seeds(1), branching=2, environments=["deduction"], baseline=True)
    with unit_of_work() as session:
        session.execute(update(Chain).where(Chain.arm == "baseline").values(next_turn=6))
    summary = refining.summary(run_id)
    assert (summary.main.turns_done, summary.main.turns) == (0, 3)
    assert (summary.baseline.turns_done, summary.baseline.turns) == (5, 6)


def test_a_run_whose_settings_no_lane_understands_pauses_and_says_so() -> None:
    run_id = refining.start(refining.owner_with_seeds(1))
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        run.config = run.config | {"of_another_version": True}
    with pytest.raises(ValidationError):
        refining.drive(run_id)
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        assert run.state == "paused"
        assert "of_another_version" in run.error
        assert session.scalar(select(func.count()).select_from(LaneSlot).where(LaneSlot.owner.is_not(None))) == 0


def test_a_lane_that_is_stopped_again_and_again_changes_no_result() -> None:
    actor = refining.owner_with_seeds()
    whole = refining.start(actor)
    refining.drive(whole)
    broken = refining.start(actor)
    for looks in (3, 8, 15, 30):
        left = iter(range(looks))
        refining.drive(broken, lambda left=left: next(left, None) is None)
    refining.drive(broken)
    report = refining.check(broken)
    assert (report.state, report.problems) == ("finished", ())
    assert report.digest == refining.check(whole).digest


def test_a_slice_that_ends_gives_way_to_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = refining.owner_with_seeds()
    run_id, other = refining.start(actor), refining.start(actor, environments=["deduction"])
    monkeypatch.setattr(settings(), "lane_slice_s", 0.01)
    successors = 0
    while refining.drive(run_id):
        successors += 1
        monkeypatch.setattr(settings(), "lane_slice_s", 300.0 if successors > 3 else 0.5)
    assert successors >= 1
    assert refining.check(run_id).problems == ()
    assert refining.state(other) == "running"


def test_a_slice_goes_on_while_no_other_run_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "lane_slice_s", 0.01)
    run_id = refining.start(refining.owner_with_seeds())
    assert refining.drive(run_id) is False
    assert refining.state(run_id) == "finished"


def test_a_lane_gives_way_at_once_to_a_smaller_run_without_lanes() -> None:
    actor = refining.owner_with_seeds()
    large = refining.start(actor)
    small = refining.start(actor, environments=["deduction"])
    with unit_of_work() as session:
        claims.take_slot(session, large, "large", "full")
        claims.take_slot(session, small, "small", "full")
        assert not waiting.smaller_run(session, large, "large"), "it has a lane"
        claims.leave_slot(session, small, "small")
        assert waiting.smaller_run(session, large, "large")
        assert not waiting.smaller_run(session, large, "another lane of it")
        claims.leave_slot(session, large, "large")
        claims.take_slot(session, small, "small", "full")
        assert not waiting.smaller_run(session, small, "small"), "the other one is larger"


def test_a_lane_that_begins_leaves_the_other_lanes_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 3)
    run_id = refining.start(refining.owner_with_seeds(2), baseline=True)
    looks = count()
    assert refining.drive(run_id, lambda: next(looks) > 0) is False
    with unit_of_work() as session:
        begun = select(func.count()).select_from(Chain).where(Chain.run_id == run_id, Chain.epoch > 0)
        assert session.scalar(begun) == 3, "of eight"


def test_the_share_is_that_of_the_lanes_that_live_once_all_have_had_time_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 4)
    run_id = refining.start(refining.owner_with_seeds(2), baseline=True)
    with unit_of_work() as session:
        for lanes, share in enumerate((8, 4, 3, 2), 1):
            claims.take_slot(session, run_id, f"lane {lanes}", "full")
            assert claims.fair_share(session, run_id, joining=True) == 2
            assert claims.fair_share(session, run_id, joining=False) == share


def test_a_lane_whose_share_ends_at_once_takes_what_no_other_came_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 8)
    monkeypatch.setattr(settings(), "lane_chains", 64)
    monkeypatch.setattr(settings(), "control_s", 30.0)  # until then it claims no more for a large crew that is busy
    run_id = refining.start(refining.owner_with_seeds(2), baseline=True)
    assert refining.drive(run_id) is False
    assert refining.state(run_id) == "finished"


def test_a_repeated_message_finds_no_slot() -> None:
    run_id = refining.start(refining.owner_with_seeds())
    with unit_of_work() as session:
        assert claims.take_slot(session, run_id, "another", "full") == 0
    assert refining.drive(run_id) is False
    assert refining.check(run_id).variants == 0


def test_paused_runs_wait_and_resumed_ones_go_on() -> None:
    actor = refining.owner_with_seeds()
    run_id = refining.start(actor)
    with unit_of_work() as session:
        service.pause(session, actor, run_id)
    assert refining.drive(run_id) is False
    assert refining.check(run_id).variants == 0
    with unit_of_work() as session:
        service.resume(session, actor, run_id)
    refining.drive(run_id)
    assert refining.state(run_id) == "finished"


def test_a_cancelled_run_refuses_late_writes_and_a_second_cancel() -> None:
    actor = refining.owner_with_seeds()
    run_id = refining.start(actor)
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "me", "full")
        claim = claims.claim_chains(session, run_id, "me", 1, alone=False)[0]
    with unit_of_work() as session:
        service.cancel(session, actor, run_id)
    with pytest.raises(LeaseLost), unit_of_work() as session:
        complete(session, stages.save_turn(claim, 1))
    with pytest.raises(LeaseLost), unit_of_work() as session:
        stages.save_end(session, claim, "finished", "turns_used")
    with pytest.raises(Conflict, match="cancelled by now"), unit_of_work() as session:
        service.cancel(session, actor, run_id)
    assert refining.state(run_id) == "cancelled"


def test_a_lane_that_slept_past_its_lease_cannot_write() -> None:
    run_id = refining.start(refining.owner_with_seeds())
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "sleeper", "full")
        late = claims.claim_chains(session, run_id, "sleeper", 1, alone=False)[0]
        session.execute(update(Chain).where(Chain.id == late.chain_id).values(lease_expires_at=PAST))
        session.execute(update(LaneSlot).values(lease_expires_at=PAST))
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "next", "full")
        taken = claims.claim_chains(session, run_id, "next", 16, alone=False)
    again = next(claim for claim in taken if claim.chain_id == late.chain_id)
    assert again.epoch == late.epoch + 1
    with pytest.raises(LeaseLost), unit_of_work() as session:
        complete(session, stages.save_turn(late, 1))
    with unit_of_work() as session:
        assert complete(session, claims.renew(run_id, "sleeper")) is None
        complete(session, stages.save_turn(again, 1))


def test_the_end_of_an_only_branch_ends_its_turn_and_may_be_said_twice() -> None:
    """As where the connection broke while COMMIT was on its way; a later turn it does not touch."""
    run_id = refining.start(refining.owner_with_seeds())
    step, provenance = Step(Direction.FIRST, Band(0.35, 0.65)), stages.Provenance("hash", "1", "full")
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "me", "full")
        claim = claims.claim_chains(session, run_id, "me", 1, alone=False)[0]

    def end(place: Place) -> int:
        with unit_of_work() as session:
            took = refining.took("proposing")
            made = complete(session, stages.save_proposal(claim, place, step, None, Reply("…"), provenance, took))
        for _ in range(2):
            with unit_of_work() as session:
                broken = "missing_block", "There is none."
                complete(session, stages.save_invalid(claim, place, made, *broken, took, ends_turn=place.branch == 1))
        with unit_of_work() as session:
            return session.execute(select(Chain.next_turn).where(Chain.id == claim.chain_id)).scalar_one()

    assert [end(Place(1, 1)), end(Place(2, 2)), end(Place(2, 1))] == [2, 2, 3]
    with pytest.raises(LeaseLost):
        end(Place(1, 3))


def test_a_turn_that_was_done_but_not_ended_is_ended_by_who_takes_the_chain_over() -> None:
    run_id = refining.start(refining.owner_with_seeds(1), environments=["deduction"], turns=2)
    refining.drive(run_id)
    with unit_of_work() as session:
        grown = {"state": "open", "stop_reason": "", "next_turn": 2}
        session.execute(update(Chain).values(**grown, owner=None, lease_expires_at=None))
        session.execute(update(Run).values(state="running"))
    refining.drive(run_id)
    with unit_of_work() as session:
        assert session.execute(select(Chain.state, Chain.next_turn)).one() == ("finished", 3)
    assert refining.check(run_id).problems == ()


def _die(session, run_id: int) -> None:  # type: ignore[no-untyped-def]
    session.execute(update(Chain).where(Chain.run_id == run_id).values(lease_expires_at=PAST))


def test_a_chain_that_kills_its_worker_is_driven_alone_then_set_aside() -> None:
    run_id = refining.start(refining.owner_with_seeds(1), environments=["deduction"])
    seen = []
    for death in range(QUARANTINE):
        with unit_of_work() as session:
            together = claims.claim_chains(session, run_id, f"lane {death}", 4, alone=False)
            alone = claims.claim_chains(session, run_id, f"lane {death}", 4, alone=True) if not together else []
            seen.append((len(together), len(alone)))
            _die(session, run_id)
    assert seen == [(1, 0)] * SUSPECT + [(0, 1)] * (QUARANTINE - SUSPECT)
    with unit_of_work() as session:
        assert claims.claim_chains(session, run_id, "last", 4, alone=True) == []
    with unit_of_work() as session:
        chain = session.execute(select(Chain)).scalar_one()
        assert (chain.state, chain.stop_reason) == ("quarantined", "killed_its_worker")
        assert session.execute(select(Incident.kind)).scalar_one() == "quarantined"
        assert session.execute(select(Run.state)).scalar_one() == "finished"


def test_progress_clears_the_suspicion() -> None:
    run_id = refining.start(refining.owner_with_seeds(1), environments=["deduction"])
    for death in range(QUARANTINE * 3):
        with unit_of_work() as session:
            claim = claims.claim_chains(session, run_id, f"lane {death}", 4, alone=True)[0]
            complete(session, stages.save_turn(claim, claim.next_turn))
            _die(session, run_id)
    with unit_of_work() as session:
        assert session.execute(select(Chain.state)).scalar_one() == "open"


def test_chains_that_end_at_once_do_not_wait_for_each_other_in_a_circle() -> None:
    """Eight at a time, as lanes end them: a deadlock would surface as Conflict."""
    run_id = refining.start(refining.owner_with_seeds(8))
    with unit_of_work() as session:
        taken = claims.claim_chains(session, run_id, "lane", 16, alone=False)

    def end(claim: claims.Claim) -> None:
        with unit_of_work() as session:
            stages.save_end(session, claim, "finished", "turns_used")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(end, taken))
    assert len(taken) == 16
    assert refining.state(run_id) == "finished"
