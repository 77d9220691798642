"""Which variants share something with a benchmark, whenever it was imported and whoever dies meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.errors import Conflict, Forbidden, NotFound
from app.features.benchmarks import checks, queries, service
from app.features.benchmarks.schemas import OverlapRow
from app.features.chains import service as chains
from app.features.runs import reconcile
from app.models import RunCheck, Variant
from tests.features.benchmarks.conftest import ALIKE, CODE, STATEMENT, Bring, add, added, claimed
from tests.support import builders, refining
from tests.support.at_once import overlapping

TEXT: dict[str, object] = {"id": "t1", "text": STATEMENT}
PROGRAM: dict[str, object] = {"id": "c1", "code": CODE}


def never() -> bool:
    return False


def overlaps(actor: Actor, variant_id: int) -> list[OverlapRow]:
    with unit_of_work() as session:
        return queries.overlaps(session, actor.workspace_id, variant_id)


def contaminated(run_id: int) -> list[bool]:
    with unit_of_work() as session:
        found = select(Variant.contaminated).where(Variant.run_id == run_id).order_by(Variant.id)
        return list(session.execute(found).scalars())


def check_again(actor: Actor, run_id: int) -> None:
    with unit_of_work() as session:
        service.check_again(session, actor, run_id)


def test_a_shared_stretch_of_words_is_shown_with_its_item(ada: Actor, bring: Bring) -> None:
    bring({"id": "t0", "text": "Something else entirely, which nobody would ever write down in the same words."}, TEXT)
    clean, marked = (
        add(claim, message=message)
        for claim, message in zip(claimed(ada), ("Sort words.", STATEMENT[:90]), strict=False)
    )
    assert overlaps(ada, clean) == []
    (found,) = overlaps(ada, marked)
    assert (found.set_name, found.item_name, found.kind, found.similarity) == ("set", "t1", "text", None)
    assert STATEMENT.startswith(found.passage)
    assert found.grams == len(found.passage.split()) - 12
    with unit_of_work() as session:
        assert [chains.variant_row(session, ada, variant).contaminated for variant in (clean, marked)] == [False, True]


def test_similar_code_is_shown_with_how_similar(ada: Actor, bring: Bring) -> None:
    bring(PROGRAM)
    (found,) = overlaps(ada, add(claimed(ada)[0], ALIKE))
    assert (found.item_name, found.kind, found.grams) == ("c1", "code", 0)
    assert 0.8 <= (found.similarity or 0) < 1
    assert found.passage == CODE


def test_a_contaminated_variant_is_not_usable_and_counted(ada: Actor, bring: Bring) -> None:
    bring(PROGRAM)
    claim, *_ = claimed(ada)
    run_id, marked = claim.run_id, add(claim, ALIKE)
    with unit_of_work() as session:
        variant = session.get_one(Variant, marked)
        builders.measurement(session, variant, 16, attempts=False)
        variant.stage = "done"
    with unit_of_work() as session:
        row = chains.variant_row(session, ada, marked)
    assert (row.usable, row.state) == (False, "in a benchmark")
    main = refining.summary(run_id).main
    assert (main.valid, main.unique, main.contaminated, main.clean, main.usable) == (1, 1, 1, 0, 0)


def test_sets_are_those_of_the_start_until_it_is_checked_again(ada: Actor, bring: Bring) -> None:
    first, second, *_ = claimed(ada)
    bring(TEXT)
    add(first, message=STATEMENT)
    assert contaminated(first.run_id) == [False]
    with unit_of_work() as session:
        assert service.contamination(session, ada, first.run_id).missing == 1
    check_again(ada, first.run_id)
    service.drive_check(first.run_id, never)
    add(second, message=STATEMENT.lower())
    assert contaminated(first.run_id) == [True, True]
    with unit_of_work() as session:
        found = service.contamination(session, ada, first.run_id)
    assert (found.missing, found.contaminated, found.valid) == (0, 2, 2)
    assert found.check is not None
    assert (found.check.state, found.check.done, found.check.total) == ("done", 1, 1)


def test_a_variant_that_is_being_saved_is_not_missed(ada: Actor, bring: Bring) -> None:
    """Its transaction is open when the check begins: the check waits until its variant can be seen."""
    first, *_ = claimed(ada)
    bring(TEXT)
    overlapping(
        lambda session: added(session, first, message=STATEMENT),
        lambda session: service.check_again(session, ada, first.run_id),
    )
    service.drive_check(first.run_id, never)
    assert contaminated(first.run_id) == [True]


def test_a_check_whose_worker_died_goes_on_where_it_was(
    ada: Actor, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = claimed(ada)
    for claim in held:
        add(claim, message=f"{STATEMENT} {claim.chain_id}")
    bring(TEXT)
    run_id = held[0].run_id
    check_again(ada, run_id)
    monkeypatch.setattr(checks, "_AT_ONCE", 2)
    with unit_of_work() as session:
        dead = checks.claim(session, run_id)
    assert dead is not None
    with unit_of_work() as session:
        assert checks.take_batch(session, run_id, dead)
    service.drive_check(run_id, never)  # the lease of the dead one still stands
    assert contaminated(run_id) == [True, True, False, False]
    with unit_of_work() as session:
        session.execute(update(RunCheck).values(lease_expires_at=select(RunCheck.started_at).scalar_subquery()))
    reconcile.reconcile()
    service.drive_check(run_id, never)
    assert contaminated(run_id) == [True] * 4
    with unit_of_work() as session:
        assert not checks.take_batch(session, run_id, dead), "a late writer changes nothing"
        check = session.execute(select(RunCheck)).scalar_one()
    assert (check.state, check.done, check.total, check.owner) == ("done", 4, 4, None)


@pytest.mark.usefixtures("worker")
def test_a_worker_does_it(ada: Actor, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 1)
    first, *_ = claimed(ada)
    add(first, message=STATEMENT)
    bring(TEXT)
    check_again(ada, first.run_id)
    refining.wait_until(lambda: contaminated(first.run_id)[0], "the check")


def test_stopping_hands_the_check_back(ada: Actor, bring: Bring) -> None:
    first, *_ = claimed(ada)
    add(first, message=STATEMENT)
    bring(TEXT)
    check_again(ada, first.run_id)
    service.drive_check(first.run_id, lambda: True)
    with unit_of_work() as session:
        assert checks.waiting(session) == [first.run_id]


def test_asked_for_twice_it_is_done_once_and_new_sets_begin_anew(ada: Actor, bring: Bring) -> None:
    first, *_ = claimed(ada)
    add(first, message=STATEMENT)
    bring(TEXT, name="one")
    check_again(ada, first.run_id)
    with unit_of_work() as session:
        owner = checks.claim(session, first.run_id)
        assert owner is not None
        checks.take_batch(session, first.run_id, owner)
    check_again(ada, first.run_id)
    with unit_of_work() as session:
        assert session.execute(select(RunCheck.owner, RunCheck.done)).one() == (owner, 1)
    bring(TEXT, name="two")
    check_again(ada, first.run_id)
    with unit_of_work() as session:
        assert session.execute(select(RunCheck.owner, RunCheck.done)).one() == (None, 0)


def test_deleting_a_set_takes_its_marks_along_and_leaves_others(ada: Actor, bring: Bring) -> None:
    one, two = bring(TEXT, name="one"), bring(PROGRAM, name="two")
    first, second, *_ = claimed(ada)
    both, text = add(first, ALIKE, STATEMENT), add(second, message=STATEMENT)
    assert [found.set_name for found in overlaps(ada, both)] == ["one", "two"]
    with unit_of_work() as session:
        service.delete_set(session, ada, one.benchmark_set_id, "one")
    assert [found.set_name for found in overlaps(ada, both)] == ["two"]
    assert overlaps(ada, text) == []
    assert contaminated(first.run_id) == [True, False]
    with unit_of_work() as session:
        service.delete_set(session, ada, two.benchmark_set_id, "two")
    assert contaminated(first.run_id) == [False, False]


def test_a_set_that_is_deleted_meanwhile_marks_nothing(ada: Actor, bring: Bring) -> None:
    """Whichever of the two comes first, the variant that is being saved and the set."""
    for saved_first in (True, False):
        number = bring(TEXT, name="going").benchmark_set_id
        claim, *_ = claimed(ada)
        changes = [
            lambda session, claim=claim: added(session, claim, message=STATEMENT),
            lambda session, number=number: service.delete_set(session, ada, number, "going"),
        ]
        _, later = overlapping(*(changes if saved_first else reversed(changes)))
        later.result()
        assert contaminated(claim.run_id) == [False]


def test_who_may_check_and_what(ada: Actor, bring: Bring) -> None:
    run_id = claimed(ada)[0].run_id
    with pytest.raises(Conflict, match="no benchmark set"):
        check_again(ada, run_id)
    bring(TEXT)
    with unit_of_work() as session:
        viewer, eve = builders.member(session, ada, "Vi", Role.VIEWER), builders.owner(session, "Eve")
    with pytest.raises(Forbidden):
        check_again(viewer, run_id)
    with pytest.raises(NotFound):
        check_again(eve, run_id)


def test_sets_of_other_workspaces_mark_nothing(ada: Actor, bring: Bring) -> None:
    bring(TEXT, by=refining.owner_with_seeds(1))
    first, *_ = claimed(ada)
    add(first, message=STATEMENT)
    assert contaminated(first.run_id) == [False]
