"""A curriculum from its first draft to a frozen version that nothing changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from app.db import Session, unit_of_work
from app.domain.actor import Actor, Role
from app.domain.export_row import canonical, decode_row
from app.domain.problem_codec import decode_problem
from app.errors import AppError, Conflict, Forbidden, InvalidForm, InvalidInput, NotFound
from app.features.curricula import service
from app.features.curricula.schemas import Selection
from app.models import AuditEvent, Chain, CurriculumItem, CurriculumVersion, Export, Measurement, Variant
from tests.support import builders

EVERYTHING = Selection(approved_only=False)


@pytest.fixture
def actor(database: str) -> Actor:
    """A person whose workspace holds a run of four chains, everything valid in it approved."""
    with unit_of_work() as session:
        actor = builders.owner(session)
        run = builders.grown_run(session, actor, attempts=False)
        valid = session.execute(select(Variant).where(Variant.run_id == run.id, Variant.problem.is_not(None))).scalars()
        builders.approve(session, actor, *valid)
    return actor


@pytest.fixture
def work(actor: Actor) -> Iterator[Session]:
    with unit_of_work() as session:
        yield session


def frozen(session: Session, actor: Actor, selection: Selection = EVERYTHING) -> CurriculumVersion:
    curriculum = service.create(session, actor, "stones", selection)
    return service.freeze(session, actor, curriculum.id, 1)


def rows_of(session: Session, version: CurriculumVersion) -> list[str]:
    query = select(CurriculumItem.row).where(CurriculumItem.version_id == version.id)
    return list(session.execute(query.order_by(CurriculumItem.position)).scalars())


# --- What is frozen ---


def test_items_hold_the_chosen_problems_in_order(work: Session, actor: Actor) -> None:
    found = service.evaluation(work, actor, EVERYTHING)
    rows = [decode_row(row) for row in rows_of(work, frozen(work, actor))]
    assert len(rows) > 8
    assert [row["content_hash"] for row in rows] == [c.candidate.content_hash for c in found.chosen]
    assert [row["position"] for row in rows] == list(range(len(rows)))
    assert [row["extra_info"]["index"] for row in rows] == list(range(len(rows)))
    assert [row["pass_rate"] for row in rows] == sorted((row["pass_rate"] for row in rows), reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_row_tells_the_problem_its_prompt_and_with_what_it_was_measured(work: Session, actor: Actor) -> None:
    row = decode_row(rows_of(work, frozen(work, actor))[0])
    grown = json.loads(row["provenance"])
    variant = work.execute(
        select(Variant)
        .join(Chain, Chain.id == Variant.chain_id)
        .where(Variant.content_hash == row["content_hash"], Variant.turn == grown["turn"])
        .where(Chain.arm == grown["chain"]["arm"], Chain.position == grown["chain"]["position"])
    ).scalar_one()
    assert variant.problem is not None
    assert row["problem"] == variant.problem
    assert decode_problem(row["problem"]).environment == row["env"]
    assert row["prompt"][-1]["role"] == "user"
    assert json.loads(row["reward_model"]["ground_truth"]) == {"env": row["env"], "id": row["id"]}
    assert row["label"] == row["reward_spec"]["ground_truth"] == row["reward_model"]["ground_truth"]
    measured = work.execute(select(Measurement).where(Measurement.variant_id == variant.id)).scalar_one()
    assert (row["passed"], row["n"]) == (measured.passed, measured.passed + measured.failed)
    assert row["pass_rate_low"] < row["pass_rate"] < row["pass_rate_high"]
    assert row["licence"] == "PSF-2.0"
    assert json.loads(row["provenance"])["measurement"]["isolation"] == "full"


def test_a_row_that_was_grown_on_request_says_what_was_asked_and_not_by_whom(work: Session, actor: Actor) -> None:
    origin = work.execute(
        select(Variant).where(Variant.problem.is_not(None)).order_by(Variant.id).limit(1)
    ).scalar_one()
    growth = builders.growth(work, actor, origin)
    child = work.execute(select(Variant).where(Variant.growth_id == growth.id)).scalar_one()
    builders.approve(work, actor, child)
    told = [json.loads(decode_row(row)["provenance"]) for row in rows_of(work, frozen(work, actor))]
    assert [row["on_request"] for row in told if "on_request" in row] == [{"instruction": "Let ties matter."}]
    assert actor.name not in json.dumps(told)


def test_the_revision_can_be_computed_from_manifest_and_rows(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    manifest = json.loads(version.manifest or "")
    header = {key: manifest[key] for key in ("schema_version", "selection", "bins", "provenance")}
    text = "".join(f"{line}\n" for line in [canonical(header), *rows_of(work, version)])
    assert hashlib.sha256(text.encode()).hexdigest() == version.content_hash == manifest["revision"]


def test_the_manifest_counts_what_is_in_the_rows(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    manifest, rows = json.loads(version.manifest or ""), [decode_row(row) for row in rows_of(work, version)]
    assert manifest["rows"] == len(rows) == sum(count["rows"] for count in manifest["counts"])
    assert manifest["curriculum"]["name"] == "stones"
    assert manifest["licences"] == {"PSF-2.0": len(rows)}
    assert manifest["prompt_characters"]["all"]["max"] == max(len(row["prompt"][0]["content"]) for row in rows)
    stored = {e.format: e for e in work.execute(select(Export)).scalars()}
    assert {f["format"]: f["sha256"] for f in manifest["files"]} == {name: e.sha256 for name, e in stored.items()}
    assert (
        stored["jsonl"].sha256 == hashlib.sha256("".join(f"{r}\n" for r in rows_of(work, version)).encode()).hexdigest()
    )
    assert set(manifest["provenance"]["environments"]) == {row["env"] for row in rows}


def test_the_same_selection_gives_the_same_revision_in_another_curriculum(work: Session, actor: Actor) -> None:
    one = frozen(work, actor)
    other = service.create(work, actor, "the same stones", EVERYTHING)
    two = service.freeze(work, actor, other.id, 1)
    assert one.content_hash == two.content_hash
    assert rows_of(work, one) == rows_of(work, two)


def test_freezing_is_audited(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    event = work.execute(select(AuditEvent).where(AuditEvent.action == "curriculum.frozen")).scalar_one()
    assert (event.user_id, event.detail["revision"]) == (actor.user_id, version.content_hash)


# --- What blocks it ---


def test_an_empty_selection_cannot_be_frozen(work: Session, actor: Actor) -> None:
    with pytest.raises(Conflict, match="empty"):
        frozen(work, actor, Selection(environments=["no such environment"]))


def test_an_unmeasured_variant_blocks_freezing_until_it_is_left_out(work: Session, actor: Actor) -> None:
    measured = work.execute(select(Measurement).limit(1)).scalar_one()
    measured.rate = None
    work.flush()
    with pytest.raises(Conflict, match="1 chosen variant has no pass rate"):
        frozen(work, actor)
    work.rollback()


def test_leaving_unmeasured_variants_out_lets_the_others_be_frozen(work: Session, actor: Actor) -> None:
    work.execute(update(Measurement).where(Measurement.passed == 14).values(rate=None))
    selection = EVERYTHING.model_copy(update={"leave_out_unmeasured": True})
    rows = [decode_row(row) for row in rows_of(work, frozen(work, actor, selection))]
    assert rows
    assert not any(row["passed"] == 14 for row in rows)


def test_a_change_since_it_was_looked_at_blocks_freezing(work: Session, actor: Actor) -> None:
    curriculum = service.create(work, actor, "stones", EVERYTHING)
    seen = service.evaluation(work, actor, EVERYTHING).digest
    work.execute(update(Variant).where(Variant.turn == 2).values(review="rejected"))
    with pytest.raises(Conflict, match="something else now"):
        service.freeze(work, actor, curriculum.id, 1, seen=seen)
    assert service.freeze(work, actor, curriculum.id, 1, seen=service.evaluation(work, actor, EVERYTHING).digest)


def test_a_frozen_version_is_not_frozen_again_nor_edited(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    with pytest.raises(Conflict, match="was frozen by Ada"):
        service.freeze(work, actor, version.curriculum_id, 1)
    with pytest.raises(Conflict, match="was frozen by Ada"):
        service.save_selection(work, actor, version.curriculum_id, 1, Selection())


def test_a_version_that_repeats_an_earlier_one_is_refused(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    service.new_version(work, actor, version.curriculum_id)
    with pytest.raises(Conflict, match="version 1 again"):
        service.freeze(work, actor, version.curriculum_id, 2)


def test_two_people_who_freeze_at_once_make_one_version(actor: Actor) -> None:
    with unit_of_work() as session:
        curriculum = service.create(session, actor, "stones", EVERYTHING)
        people = [builders.member(session, actor, name) for name in ("Ben", "Cleo")]
    together = Barrier(2)

    def freeze(person: Actor) -> str:
        together.wait()
        try:
            with unit_of_work() as session:
                return service.freeze(session, person, curriculum.id, 1).content_hash or ""
        except AppError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(freeze, people), key=len)
    assert len(told[0]) == 64
    assert "was frozen by" in told[1]
    with unit_of_work() as session:
        assert len(session.execute(select(CurriculumVersion)).scalars().all()) == 1
        assert len(rows_of(session, service.find_version(session, actor, curriculum.id, 1))) > 0


def test_a_viewer_neither_creates_nor_freezes(work: Session, actor: Actor) -> None:
    viewer = builders.member(work, actor, "Vera", Role.VIEWER)
    with pytest.raises(Forbidden):
        service.create(work, viewer, "stones", EVERYTHING)


# --- What the database holds by itself ---


@pytest.mark.parametrize(
    "change",
    [
        update(CurriculumItem).where(CurriculumItem.position == 0).values(row="{}"),
        delete(CurriculumItem).where(CurriculumItem.position == 0),
        update(CurriculumVersion).values(content_hash="0" * 64),
        update(CurriculumVersion).values(manifest="{}"),
        update(CurriculumVersion).values(frozen_at=None, content_hash=None),
        delete(CurriculumVersion),
        update(Export).values(sha256="0" * 64),
        text("delete from curriculum"),
        text("delete from workspace"),
    ],
    ids=str,
)
def test_the_database_refuses_to_change_what_is_frozen(actor: Actor, change: object) -> None:
    with unit_of_work() as session:
        version = frozen(session, actor)
        before = rows_of(session, version)
    with pytest.raises(DBAPIError, match=r"frozen|never changes"), unit_of_work() as session:
        session.execute(change)  # type: ignore[call-overload]
    with unit_of_work() as session:
        assert rows_of(session, service.find_version(session, actor, version.curriculum_id, 1)) == before


def test_the_database_takes_no_further_item(actor: Actor) -> None:
    with unit_of_work() as session:
        version = frozen(session, actor)
        item = session.execute(select(CurriculumItem).limit(1)).scalar_one()
        values = {c.name: getattr(item, c.name) for c in CurriculumItem.__table__.columns} | {"position": 10_000}
    with pytest.raises(DBAPIError, match="frozen"), unit_of_work() as session:
        session.execute(insert(CurriculumItem).values(values))
    assert version.frozen_at


# --- Versions ---


def test_a_new_version_starts_from_the_last_one(work: Session, actor: Actor) -> None:
    hardest = EVERYTHING.model_copy(update={"order": "hardest_first"})
    version = frozen(work, actor, hardest)
    draft = service.new_version(work, actor, version.curriculum_id)
    assert (draft.number, service.selection_of(draft)) == (2, hardest)
    assert service.new_version(work, actor, version.curriculum_id).id == draft.id, "one draft at a time"


def test_a_diff_names_what_was_added_removed_and_moved(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    before = service.items(work, actor, version)
    gone, moved = before[0], before[-1]
    work.execute(update(Variant).where(Variant.id == gone.variant_id).values(review="rejected"))
    work.execute(update(Measurement).where(Measurement.variant_id == moved.variant_id).values(rate=0.9))
    draft = service.new_version(work, actor, version.curriculum_id)
    found = service.diff(before, service.items(work, actor, draft))
    assert found.removed == (gone,)
    assert not found.added
    assert [(a.difficulty, b.difficulty) for a, b in found.moved] == [(moved.difficulty, "easy")]
    assert found.kept == len(before) - 2
    second = service.freeze(work, actor, version.curriculum_id, 2)
    assert json.loads(second.manifest or "")["parent_revision"] == version.content_hash


# --- Whose it is ---


def test_another_workspace_sees_nothing_of_it(work: Session, actor: Actor) -> None:
    version = frozen(work, actor)
    stranger = builders.owner(work, "Mallory")
    with pytest.raises(NotFound):
        service.find_version(work, stranger, version.curriculum_id, 1)
    with pytest.raises(NotFound):
        service.freeze(work, stranger, version.curriculum_id, 1)
    assert not service.evaluation(work, stranger, EVERYTHING).chosen


def test_wrong_names_and_runs_are_refused_at_their_field(work: Session, actor: Actor) -> None:
    service.create(work, actor, "stones", EVERYTHING)
    for name in ("", "  ", "x" * 201, "stones", " stones  "):
        with pytest.raises(InvalidInput) as caught:
            service.create(work, actor, name, EVERYTHING)
        assert caught.value.field == "name"
    with pytest.raises(InvalidForm) as form:
        service.create(work, actor, "others", Selection(runs=[10**6], student=10**6))
    assert set(form.value.errors) == {"runs", "student"}
