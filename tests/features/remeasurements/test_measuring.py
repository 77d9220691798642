"""Measuring variants again: what is chosen, what comes of it, and that nothing that happens meanwhile changes it."""

from __future__ import annotations

import asyncio

import pytest

from app import registry
from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.errors import Conflict, Forbidden, InvalidForm, InvalidInput, LeaseLost, NotFound
from app.features.remeasurements import ledger, queries, service
from app.features.remeasurements.schemas import RemeasurementRow, VariantChoice, parse
from app.features.runs import reconcile, waiting
from app.features.runs.claims import QUARANTINE
from app.models import AuditEvent, Measurement, Remeasurement, Variant
from tests.features.remeasurements.conftest import STUDENT, Ask, drive, look, measured, variants_of
from tests.support import builders, model_server


def claim(row: RemeasurementRow, owner: str = "a lane") -> ledger.Claim | None:
    with unit_of_work() as session:
        return ledger.claim(session, row.id, owner)


def expire(row: RemeasurementRow) -> None:
    with unit_of_work() as session:
        session.get_one(Remeasurement, row.id).lease_expires_at = builders.datetime.now(builders.UTC)


def test_usable_variants_of_a_run_get_a_second_measurement_beside_their_own(ask: Ask, run: int) -> None:
    asked = ask()
    assert (asked.state, asked.done, asked.student.model) == ("running", 0, registry.engine("procedural").title)
    done = drive(asked)
    assert (done.state, done.done, done.set_aside, done.error) == ("finished", done.variants, 0, "")
    found = measured(done)
    assert sorted(found) == variants_of(done)
    assert all(sum(verdicts) == 4 for *verdicts, _ in found.values())
    with unit_of_work() as session:
        assert all(
            session.query(Measurement).where(Measurement.variant_id == variant_id).count() == 2 for variant_id in found
        )
        own, new = queries.students_of_run(session, run)
    assert (own.own, new.own) == (True, False)
    assert new.measured == done.variants
    assert new.mean == pytest.approx(sum(rate or 0 for *_, rate in found.values()) / len(found))
    assert sum(new.bins.values()) == new.measured


def test_the_same_selection_and_seed_give_the_same_rates(ask: Ask, ada: Actor) -> None:
    first = drive(ask())
    before = measured(first)
    with unit_of_work() as session:
        session.query(Measurement).where(Measurement.student_profile_id == first.student.id).delete()
    half = variants_of(first)[::2]
    drive(ask({"variants": half}))
    drive(ask({"variants": variants_of(first)}))
    assert measured(first) == before


def test_what_cannot_be_measured_is_left_out_with_its_reason(ask: Ask, ada: Actor, run: int) -> None:
    with unit_of_work() as session:
        variants = session.query(Variant).where(Variant.run_id == run).order_by(Variant.id).all()
        invalid = [v.id for v in variants if v.invalid_code]
        valid = [v.id for v in variants if not v.invalid_code]
        session.get_one(Variant, valid[0]).stage = "attempted"
    drive(ask({"variants": valid[1:2]}))
    ask({"variants": valid[2:4]})
    with unit_of_work() as session:
        selection = VariantChoice(variants=[*invalid, *valid[:5]])
        found = service.preview(session, ada, selection, parse({"student": STUDENT}))
    assert [each.variant_id for each in found.ready] == valid[4:5]
    assert dict(found.left_out) == {
        "invalid": len(invalid),
        "still being checked or measured by its run": 1,
        "measured with this student already": 1,
        "being measured with this student": 2,
    }
    with pytest.raises(InvalidInput, match="Nothing of this selection"):
        ask({"variants": invalid})


def test_who_may_ask_and_for_what(ask: Ask, ada: Actor, run: int) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vi", Role.VIEWER)
        elsewhere = builders.owner(session, "Eve")
        strange = builders.variant(session, builders.chain(session, builders.run(session, elsewhere)))
    with pytest.raises(Forbidden):
        ask(by=viewer)
    with pytest.raises(NotFound, match=f"no run {run}"):
        ask(by=elsewhere)
    with pytest.raises(NotFound, match=f"no variant {strange.id}"):
        ask({"variants": [strange.id]})
    with pytest.raises(NotFound, match="no curriculum version"):
        ask({"revision": "0" * 64})
    with pytest.raises(InvalidForm) as refused:
        ask(student={"engine": "procedural", "options": {"budget": -1}}, attempts=4)
    assert "student.options.budget" in refused.value.errors
    with pytest.raises(InvalidForm) as refused:
        ask(attempts=2, minimum_verdicts=3)
    assert "minimum_verdicts" in refused.value.errors
    asked = ask()
    with unit_of_work() as session, pytest.raises(NotFound):
        service.find(session, elsewhere, asked.id)
    with unit_of_work() as session:
        kinds = [event.action for event in session.query(AuditEvent).where(AuditEvent.user_id == ada.user_id)]
    assert kinds == ["remeasurement.started"]


def test_a_lane_that_lost_its_claim_writes_nothing_more(ask: Ask) -> None:
    asked = ask()
    late = claim(asked)
    assert late is not None
    assert claim(asked, "another") is None, "somebody drives it"
    expire(asked)
    variant_id = variants_of(asked)[0]
    assert claim(asked, "another") is not None
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.save_attempts(session, late, variant_id, "hash", [])
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.set_aside(session, late, variant_id, "too_long")
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.renew(session, late)


def test_a_lane_that_died_between_attempts_and_verdicts_is_taken_over(ask: Ask) -> None:
    calm = drive(ask())
    before = measured(calm)
    with unit_of_work() as session:
        held = ledger.Claim(calm.id, 0, 0, calm.student.id, parse({"student": STUDENT, "attempts": 4}))
        answered = {each: ledger.load(session, held, each).replies for each in variants_of(calm)[:3]}
    with unit_of_work() as session:
        session.query(Measurement).where(Measurement.student_profile_id == calm.student.id).delete()
    asked = ask({"variants": variants_of(calm)})
    dying = claim(asked)
    assert dying is not None
    with unit_of_work() as session:
        for variant_id, replies in answered.items():
            ledger.save_attempts(session, dying, variant_id, "as it was", replies)
    expire(asked)
    assert drive(asked).state == "finished"
    assert measured(asked) == before
    with unit_of_work() as session:
        kept = session.query(Measurement).where(Measurement.prompt_hash == "as it was")
        assert sorted(each.variant_id for each in kept) == sorted(answered), "nothing was asked twice"


def test_pause_resume_and_cancel(ask: Ask, ada: Actor) -> None:
    asked = ask()
    held = claim(asked)
    with unit_of_work() as session:
        assert service.pause(session, ada, asked.id).state == "paused"
    assert held is not None
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.renew(session, held)
    assert claim(asked) is None
    with unit_of_work() as session, pytest.raises(Conflict, match="paused by now"):
        service.pause(session, ada, asked.id)
    with unit_of_work() as session:
        service.resume(session, ada, asked.id)
    assert drive(asked).state == "finished"
    with unit_of_work() as session, pytest.raises(Conflict, match="finished by now"):
        service.cancel(session, ada, asked.id)


def test_lost_messages_are_made_up_for(ask: Ask) -> None:
    asked = ask()
    with unit_of_work() as session:
        assert waiting.remeasurements(session) == [asked.id]
        assert waiting.others(session, None)
    assert reconcile.reconcile() >= 1
    drive(asked)
    with unit_of_work() as session:
        assert waiting.remeasurements(session) == []


def test_what_kills_its_worker_again_and_again_pauses(ask: Ask) -> None:
    asked = ask()
    for _ in range(QUARANTINE):
        assert claim(asked) is not None
        expire(asked)
    assert claim(asked) is None
    assert (look(asked).state, "died 12 times" in look(asked).error) == ("paused", True)


@pytest.mark.parametrize(("fault", "state"), [("unauthorised", "paused"), ("overflow", "finished")])
async def test_trouble_pauses_and_a_small_context_sets_aside(ask: Ask, fault: str, state: str) -> None:
    async with model_server.serve(model_server.saying("42")) as server:
        server.failing = fault
        asked = ask(student={"engine": "openai", "options": {"base_url": server.url, "model": "small"}})
        done = await asyncio.to_thread(drive, asked)
    assert done.state == state
    assert measured(done) == {}, "trouble is no wrong answer"
    if state == "paused":
        assert "asks for a key" in done.error
    else:
        assert done.set_aside == done.variants
        with unit_of_work() as session:
            assert queries.set_aside(session, asked.id) == [("too_long", done.variants)]


async def test_passing_trouble_changes_no_rate(ask: Ask) -> None:
    async with model_server.procedural() as model, model_server.serve(model) as server:
        student = {"engine": "openai", "options": {"base_url": server.url, "model": "small"}}
        calm = await asyncio.to_thread(drive, ask(student=student))
        before = measured(calm)
        with unit_of_work() as session:
            session.query(Measurement).where(Measurement.student_profile_id == calm.student.id).delete()
        server.every = 2
        shaken = await asyncio.to_thread(drive, ask({"variants": variants_of(calm)}, student=student))
    assert server.met
    assert measured(shaken) == before
