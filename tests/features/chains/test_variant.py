"""One variant in full."""

from __future__ import annotations

import pytest

from app.db import Session
from app.domain.actor import Actor
from app.errors import NotFound
from app.features.chains import service
from app.features.chains.schemas import VariantView
from app.models import Run, Variant
from tests.support import builders
from tests.support.counting import statements
from tests.support.problems import MERGE


@pytest.fixture
def family(session: Session, run: Run) -> dict[str, Variant]:
    grown = builders.grown_chain(session, run, 7, "induction", MERGE)
    return {f"{variant.turn}.{variant.branch}": variant for variant in grown}


def seen(session: Session, actor: Actor, variant: Variant) -> VariantView:
    return service.variant(session, actor, variant.id)


def test_its_place_in_the_tree(session: Session, ada: Actor, family: dict[str, Variant]) -> None:
    view = seen(session, ada, family["3.1"])
    assert [row.place for row in view.ancestors] == ["1.1", "2.1"]
    assert view.parent
    assert view.parent.place == "2.1"
    assert [row.place for row in view.siblings] == ["3.2"]
    assert [row.place for row in view.children] == ["4.1"]


def test_its_problem_with_gold_outputs_from_execution(session: Session, ada: Actor, family: dict[str, Variant]) -> None:
    problem = seen(session, ada, family["1.1"]).problem
    assert problem
    assert problem.outputs[0] == [1, 2, 3, 4]
    assert problem.message.startswith("Merge several")


def test_its_measurements_with_representative_attempts(
    session: Session, ada: Actor, family: dict[str, Variant]
) -> None:
    stronger = builders.profile(session, ada, "student", "larger")
    builders.measurement(session, family["3.1"], 20, student=stronger)
    view = seen(session, ada, family["3.1"])
    own, other = view.measurements
    assert (own.by_run, own.tally.passed, own.bin) == (True, 4, "hard")
    assert (other.by_run, other.tally.passed, other.student.model) == (False, 20, "larger")
    assert view.measurement is own
    assert [example.kind for example in own.examples] == ["shortest_pass", "common_failure", "outlier"]


def test_why_it_is_invalid(session: Session, ada: Actor, family: dict[str, Variant]) -> None:
    view = seen(session, ada, family["4.1"])
    assert view.problem is None
    assert view.why
    assert "same outputs" in view.why.sentence
    assert view.why.remedy
    assert view.invalid_detail.startswith("f gives [3, 1]")


def test_where_it_comes_from(session: Session, ada: Actor, family: dict[str, Variant]) -> None:
    view = seen(session, ada, family["2.1"])
    assert (view.seed.licence, view.seed.source) == ("PSF-2.0", "heapq.py 340-378")
    assert (view.teacher.engine, view.isolation, len(view.prompt_hash)) == ("procedural", "full", 64)


def test_its_duplicate_is_named(session: Session, ada: Actor, family: dict[str, Variant]) -> None:
    family["5.1"].duplicate_of = family["2.1"].id
    session.flush()
    view = seen(session, ada, family["5.1"])
    assert view.twin
    assert view.twin.place == "2.1"
    assert (view.row.usable, view.row.state) == (False, "duplicate")


def test_attempts_come_in_pages_and_by_verdict(session: Session, ada: Actor, family: dict[str, Variant]) -> None:
    page = service.attempts(session, ada, family["3.2"].id, first=1, limit=10)
    assert (page.total, page.counts) == (32, {"passed": 17, "failed": 14, "error": 1})
    assert [attempt.number for attempt in page.attempts] == list(range(1, 11))
    failed = service.attempts(session, ada, family["3.2"].id, verdict="failed", first=11, limit=10)
    assert (failed.total, len(failed.attempts)) == (14, 4)
    assert {attempt.verdict for attempt in failed.attempts} == {"failed"}
    assert {attempt.meaning for attempt in failed.attempts} <= {
        "The value differs from the gold output.",
        "The reply holds no answer block.",
    }


def test_no_attempts_at_an_invalid_one_and_none_of_a_foreign_measurement(
    session: Session, ada: Actor, family: dict[str, Variant]
) -> None:
    assert service.attempts(session, ada, family["4.1"].id).total == 0
    foreign = seen(session, ada, family["3.2"]).measurements[0].id
    with pytest.raises(NotFound, match="no measurement"):
        service.attempts(session, ada, family["3.1"].id, measurement_id=foreign)


def test_the_queries_do_not_grow_with_the_chain(
    session: Session, ada: Actor, run: Run, family: dict[str, Variant]
) -> None:
    lone = builders.variant(session, builders.chain(session, run, 8))
    session.expire_all()
    with statements() as few:
        seen(session, ada, lone)
    with statements() as many:
        seen(session, ada, family["3.1"])
    assert len(many) <= len(few) <= 9
