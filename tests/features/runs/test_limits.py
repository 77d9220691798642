"""Goals and caps: where a run ends, what that leaves as it was, and what it says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, text, update

from app.config import Price, Settings, settings, variable
from app.db import unit_of_work
from app.errors import InvalidInput
from app.features.growths import service as growths
from app.features.growths.schemas import Request
from app.features.runs import claims, goals, limits, queries, service
from app.features.runs.limits import GOAL_MET
from app.features.runs.schemas import RunConfig
from app.messages import by_field
from app.models import Chain, LaneSlot, Measurement, Run, Variant
from tests.support import refining

PAST = text("now() - interval '1 second'")
NONE = {"deduction": 0, "abduction": 0}
GOAL = {"usable": 2, "bins": ["medium", "hard"]}
pytestmark = pytest.mark.usefixtures("database", "broker", "quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)
    monkeypatch.setattr(settings(), "lane_chains", 2)


def ends(run_id: int) -> dict[tuple[str, str], int]:
    """(state, reason) -> chains."""
    with unit_of_work() as session:
        rows = session.execute(
            select(Chain.state, Chain.stop_reason, func.count())
            .where(Chain.run_id == run_id)
            .group_by(Chain.state, Chain.stop_reason)
        )
        return {(state, reason): count for state, reason, count in rows}


def contents(run_id: int) -> dict[tuple[int, int], tuple[str, int | None]]:
    """(chain, turn) -> reply and verdicts of each finished variant."""
    with unit_of_work() as session:
        rows = session.execute(
            select(Chain.position, Variant.turn, Variant.reply, Measurement.passed)
            .join(Variant, Variant.chain_id == Chain.id)
            .outerjoin(Measurement, Measurement.variant_id == Variant.id)
            .where(Chain.run_id == run_id, Variant.stage == "done")
        )
        return {(position, turn): (reply, passed) for position, turn, reply, passed in rows}


def test_a_run_takes_seeds_until_its_goal_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many chains are under way at once, the same one meets it, and what counts is the same."""
    actor = refining.owner_with_seeds(30)
    found = []
    for at_once in (1, 2, 5):
        monkeypatch.setattr(settings(), "lane_chains", at_once)
        run_id = refining.start(actor, until=GOAL)
        refining.drive(run_id)
        report, summary = refining.check(run_id), refining.summary(run_id)
        assert (report.state, report.problems) == ("finished", ())
        assert ends(run_id)["stopped", GOAL_MET] == summary.main.chains_unstarted > 0
        assert summary.main.chains == summary.main.chains_ended == 60 - summary.main.chains_unstarted
        assert summary.progress == 1.0
        assert not summary.capped_by
        for state in summary.goals:
            assert state.met_at is not None
            assert min(state.usable.values()) >= state.wanted == 2
            assert summary.main.usable_by_environment[state.environment].items() >= state.usable.items()
        found.append((report.digest, [(state.met_at, state.chains_to_meet) for state in summary.goals]))
    assert found[0] == found[1] == found[2]


def test_each_environment_stops_by_itself_and_the_baseline_with_it() -> None:
    actor = refining.owner_with_seeds(12)
    run_id = refining.start(actor, until={"usable": 1, "bins": ["medium"]}, baseline=True)
    refining.drive(run_id)
    summary = refining.summary(run_id)
    assert refining.check(run_id).problems == ()
    with unit_of_work() as session:
        for state in summary.goals:
            assert state.met_at
            unfinished = select(func.count()).where(
                Chain.run_id == run_id,
                Chain.environment == state.environment,
                Chain.position <= state.met_at,
                Chain.state != "finished",
            )
            assert session.execute(unfinished).scalar_one() == 0, "both arms have grown what the goal took"
    assert summary.baseline is not None
    assert summary.baseline.chains_unstarted > 0


def test_a_goal_beyond_the_seeds_uses_them_all() -> None:
    run_id = refining.start(refining.owner_with_seeds(2), until={"usable": 1000, "bins": ["easy"]})
    refining.drive(run_id)
    summary = refining.summary(run_id)
    assert set(ends(run_id)) == {("finished", "turns_used")}
    assert [(state.met_at, state.chains) for state in summary.goals] == [(None, 2), (None, 2)]


def test_no_chain_starts_while_those_under_way_may_suffice() -> None:
    """A gap is filled all the same: the goal is met by chains without one."""
    run_id = refining.start(refining.owner_with_seeds(3), environments=["deduction"])
    with unit_of_work() as session:
        assert claims.claim_chains(session, run_id, "a", 9, alone=False, may_start={"deduction": 0}) == []
        ids = session.execute(select(Chain.id).order_by(Chain.position)).scalars().all()
        session.execute(update(Chain).where(Chain.id == ids[2]).values(epoch=1))
        begun = claims.claim_chains(session, run_id, "a", 9, alone=False, may_start={"deduction": 1, "fuzzing": 0})
        assert {claim.chain_id for claim in begun} == {ids[0], ids[2]}


def test_the_chain_that_meets_a_goal_stands_behind_no_open_one() -> None:
    actor = refining.owner_with_seeds(3)
    run_id = refining.start(actor, environments=["deduction"], until={"usable": 1, "bins": ["medium"]})
    refining.drive(run_id)
    with unit_of_work() as session:
        run = queries.run_to_drive(session, run_id)
        config = RunConfig.model_validate(run.config)
        (state,) = goals.goal_states(session, run, config)
        assert state.met_at
        assert state.may_start == state.met_at
        session.execute(update(Chain).where(Chain.position == 1).values(state="open"))
        (state,) = goals.goal_states(session, run, config)
        assert state.met_at is None
        assert state.enough_so_far
        assert state.may_start == state.last_started


def test_a_cap_on_attempts_ends_a_run_and_changes_nothing_before_it() -> None:
    actor = refining.owner_with_seeds(8)
    whole = refining.start(actor)
    refining.drive(whole)
    capped = refining.start(actor, caps={"attempts": 40})
    refining.drive(capped)
    report, summary = refining.check(capped), refining.summary(capped)
    assert (report.state, report.problems) == ("finished", ())
    assert summary.capped_by == "attempts"
    assert summary.error == ""
    assert summary.spent.attempts == report.attempts >= 40
    assert summary.main.chains_unstarted > 0
    assert set(ends(capped)) >= {("stopped", "cap_attempts")}
    assert contents(capped).items() < contents(whole).items()
    with unit_of_work() as session:
        assert session.get_one(Run, capped).finished_at is not None


@pytest.mark.parametrize(
    ("caps", "price", "warned"),
    [
        ({"tokens": 1000}, Price(hour=1.0), "the cap on tokens"),
        ({"tokens": 1000, "money": 1000}, Price(completion=1.0), "the caps on tokens and money"),
        ({"money": 1000}, Price(hour=1.0), ""),
        ({"attempts": 1000}, Price(completion=1.0), ""),
    ],
)
def test_caps_that_should_count_what_no_model_tells_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, caps: dict[str, float], price: Price, warned: str
) -> None:
    """The procedural engine has no tokens to tell."""
    monkeypatch.setattr(settings(), "prices", {"procedural": price})
    run_id = refining.start(refining.owner_with_seeds(1), environments=["deduction"], caps=caps)
    assert refining.summary(run_id).uncounted == "", "nothing is asked for yet"
    refining.drive(run_id)
    found = refining.summary(run_id).uncounted
    assert found.startswith("No completion tokens are told of the teacher and the student:") is bool(warned)
    assert f"for {warned}." in found or not warned


@pytest.mark.parametrize("cap", [{"hours": 1e-9}, {"money": 1e-9}])
def test_nothing_is_asked_for_once_a_cap_is_used_up(cap: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "prices", {"procedural": Price(hour=2.0)})
    run_id = refining.start(refining.owner_with_seeds(1), caps=cap)
    assert refining.drive(run_id) is False
    assert refining.summary(run_id).capped_by == next(iter(cap))
    assert (refining.check(run_id).state, refining.check(run_id).variants) == ("finished", 0)


def test_a_cap_leaves_what_is_begun_to_lanes() -> None:
    """One that died holds its chain until its lease ends; another then finishes what was paid for, and ends it."""
    run_id = refining.start(refining.owner_with_seeds(2), caps={"hours": 1e-9})
    with unit_of_work() as session:
        claims.take_slot(session, run_id, "other", "full")
        (held,) = claims.claim_chains(session, run_id, "other", 1, alone=False)
    for _ in range(2):
        with unit_of_work() as session:
            assert limits.look(session, run_id).cap == "hours"
            assert claims.claim_chains(session, run_id, "me", 9, alone=True, may_start=NONE) == []
    assert ends(run_id) == {("open", ""): 1, ("stopped", "cap_hours"): 3}
    assert refining.state(run_id) == "running"
    with unit_of_work() as session:
        session.execute(update(Chain).where(Chain.id == held.chain_id).values(lease_expires_at=PAST))
        session.execute(update(LaneSlot).values(lease_expires_at=PAST))
    refining.drive(run_id)
    assert refining.summary(run_id).main.chains_unstarted == 3
    assert ends(run_id) == {("stopped", "cap_hours"): 4}
    assert refining.state(run_id) == "finished"


def test_money_is_reckoned_with_the_prices_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "prices", {"procedural": Price(prompt=1.0, completion=10.0)})
    monkeypatch.setattr(settings(), "currency", "EUR")
    run_id = refining.start(refining.owner_with_seeds(1))
    monkeypatch.setattr(settings(), "prices", {})
    with unit_of_work() as session:
        first = session.execute(select(Chain.id).order_by(Chain.id).limit(1)).scalar_one()
        spent = {
            "teacher_prompt_tokens": 1_000_000,
            "teacher_completion_tokens": 200_000,
            "student_prompt_tokens": 500_000,
            "student_completion_tokens": 50_000,
        }
        session.execute(update(Chain).where(Chain.id == first).values(**spent))
    found = refining.summary(run_id).spent
    assert (found.tokens, found.money, found.currency) == (1_750_000, 4.0, "EUR")


def test_without_prices_money_is_unknown_and_can_not_be_capped() -> None:
    actor = refining.owner_with_seeds(1)
    assert refining.summary(refining.start(actor)).spent.money is None
    with pytest.raises(InvalidInput, match="none of procedural") as caught:
        refining.start(actor, caps={"money": 5})
    assert caught.value.field == "caps.money"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("nonsense", {"CAIRN_PRICES": "This must be JSON"}),
        ('{"m": {"prompt": -1}}', {"CAIRN_PRICES.m.prompt": "This must be 0 or more"}),
        ('{"m": {"promt": 1}}', {"CAIRN_PRICES.m.promt": "There is no such field"}),
    ],
)
def test_prices_that_can_not_be_read_are_refused_by_name(
    written: str, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIRN_PRICES", written)
    with pytest.raises(ValidationError) as caught:
        Settings()
    found = {variable(name): message for name, message in by_field(caught.value).items()}
    assert found.keys() == told.keys()
    assert all(found[name].startswith(message) for name, message in told.items())


def test_prices_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_PRICES", '{"qwen3-8b": {"prompt": 0.1, "completion": 0.4}, "vllm": {"hour": 2.5}}')
    assert Settings().prices == {"qwen3-8b": Price(prompt=0.1, completion=0.4), "vllm": Price(hour=2.5)}


def test_branches_that_people_ask_for_grow_beyond_a_cap() -> None:
    actor = refining.owner_with_seeds(1)
    run_id = refining.start(actor, environments=["deduction"], turns=30, caps={"attempts": 8})
    refining.drive(run_id)
    assert ends(run_id) == {("stopped", "cap_attempts"): 1}
    with unit_of_work() as session:
        origin = session.query(Variant).where(Variant.invalid_code.is_(None)).order_by(Variant.id).limit(1).one()
        growths.grow(session, actor, origin.id, Request(direction="harder", children=2))
    refining.drive(run_id)
    report, summary = refining.check(run_id), refining.summary(run_id)
    assert (report.state, report.problems) == ("finished", ())
    assert (summary.asked.requests, summary.asked.open, summary.asked.proposals) == (1, 0, 2)
    assert summary.capped_by == "attempts"
    assert summary.spent.attempts < report.attempts, "what was asked for is counted apart"


def test_a_run_that_its_goal_ended_can_be_archived() -> None:
    actor = refining.owner_with_seeds(1)
    run_id = refining.start(actor, caps={"hours": 1e-9})
    refining.drive(run_id)
    with unit_of_work() as session:
        assert service.archive(session, actor, run_id, archived=True).state == "finished"
