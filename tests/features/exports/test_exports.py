"""Files of a frozen version: the same bytes for good, whole or not there."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import HashMismatch, InvalidInput, NotFound
from app.features.curricula import service as curricula
from app.features.curricula.schemas import Selection
from app.features.exports import service
from app.features.exports.manifest import percentiles
from app.features.exports.run import write_run
from app.models import Chain, CurriculumVersion, Export, Measurement, Run, Variant
from tests.exporters.test_formats import load_with_datasets
from tests.support import builders


@pytest.fixture
def actor(database: str) -> Actor:
    with unit_of_work() as session:
        actor = builders.owner(session)
        builders.grown_run(session, actor, chains=8, attempts=False)
    return actor


@pytest.fixture
def version(actor: Actor) -> CurriculumVersion:
    with unit_of_work() as session:
        made = curricula.create(session, actor, "stones", Selection(approved_only=False))
        return curricula.freeze(session, actor, made.id, 1)


def stored(actor: Actor, version: CurriculumVersion, name: str, revision: str = "") -> service.StoredFile:
    with unit_of_work() as session:
        return service.stored_file(session, actor, version.curriculum_id, revision or version.content_hash or "", name)


@pytest.mark.parametrize("name", ["train.jsonl", "train.parquet"])
def test_a_file_is_what_the_manifest_says(actor: Actor, version: CurriculumVersion, name: str) -> None:
    promised = next(f for f in json.loads(version.manifest or "")["files"] if f["path"] == name)
    file = stored(actor, version, name)
    data = file.path.read_bytes()
    assert (file.sha256, file.size) == (promised["sha256"], promised["bytes"])
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (promised["sha256"], promised["bytes"])


def test_a_file_that_was_lost_or_damaged_is_rendered_again_to_the_same_bytes(
    actor: Actor, version: CurriculumVersion
) -> None:
    for name in ("train.jsonl", "train.parquet"):
        file = stored(actor, version, name)
        before = file.path.read_bytes()
        file.path.unlink()
        assert stored(actor, version, name).path.read_bytes() == before
        file.path.write_bytes(before[:-1] + b"x")
        assert stored(actor, version, name).path.read_bytes() == before


def test_latest_is_the_newest_frozen_version(actor: Actor, version: CurriculumVersion) -> None:
    assert stored(actor, version, "train.jsonl", "latest") == stored(actor, version, "train.jsonl")


def test_the_datasets_library_loads_what_was_frozen(actor: Actor, version: CurriculumVersion, tmp_path: Path) -> None:
    one, two = (stored(actor, version, name).path.read_bytes() for name in ("train.jsonl", "train.parquet"))
    loaded = load_with_datasets(tmp_path, one, two)
    assert loaded["rows"] == [json.loads(line) for line in one.splitlines()]
    assert len(loaded["rows"]) == json.loads(version.manifest or "")["rows"]


def test_rows_that_no_longer_render_to_the_hash_are_a_loud_error(actor: Actor, version: CurriculumVersion) -> None:
    with unit_of_work() as session:  # what the triggers forbid, done by somebody who switched them off
        session.execute(text("alter table export disable trigger frozen_export"))
        session.execute(update(Export).values(sha256="0" * 64))
        session.execute(text("alter table export enable trigger frozen_export"))
    with pytest.raises(HashMismatch, match="not served"):
        stored(actor, version, "train.jsonl")


def test_a_format_younger_than_the_version_gets_its_hash_at_the_first_rendering(
    actor: Actor, version: CurriculumVersion
) -> None:
    with unit_of_work() as session:
        session.execute(text("delete from export where format = 'parquet'"))
    first = stored(actor, version, "train.parquet")
    with unit_of_work() as session:
        kept = session.execute(select(Export).where(Export.format == "parquet")).scalar_one()
    assert kept.sha256 == first.sha256
    assert stored(actor, version, "train.parquet") == first


@pytest.mark.parametrize(
    ("name", "revision"), [("train.csv", ""), ("../secret", ""), ("train.jsonl", "0" * 64), ("train.jsonl", "head")]
)
def test_what_is_not_there_is_not_found(actor: Actor, version: CurriculumVersion, name: str, revision: str) -> None:
    with pytest.raises(NotFound):
        stored(actor, version, name, revision)


def test_a_draft_has_no_latest_revision(actor: Actor) -> None:
    with unit_of_work() as session:
        made = curricula.create(session, actor, "draft", Selection())
        with pytest.raises(NotFound, match="no frozen version"):
            service.latest(session, actor, made.id)
        with pytest.raises(NotFound, match="no curriculum"):
            service.latest(session, builders.owner(session, "Mallory"), made.id)


def test_rows_come_in_pages_that_together_are_the_file(actor: Actor, version: CurriculumVersion) -> None:
    lines: list[str] = []
    cursor: str | None = ""
    with unit_of_work() as session:
        while cursor is not None:
            page = service.rows(session, actor, version.curriculum_id, "latest", cursor=cursor, limit=3)
            assert 1 <= len(page.lines) <= 3
            lines += page.lines
            cursor = page.cursor
    assert "".join(f"{line}\n" for line in lines).encode() == stored(actor, version, "train.jsonl").path.read_bytes()


def test_rows_are_filtered_by_environment_and_stage(actor: Actor, version: CurriculumVersion) -> None:
    with unit_of_work() as session:
        everything = [json.loads(line) for line in service.rows(session, actor, version.curriculum_id, "latest").lines]
        env, stage = everything[-1]["env"], everything[-1]["stage"]
        page = service.rows(session, actor, version.curriculum_id, "latest", env=env, stage=stage)
        found = [json.loads(line) for line in page.lines]
        assert found == [row for row in everything if (row["env"], row["stage"]) == (env, stage)]
        assert len(found) < len(everything)
        with pytest.raises(InvalidInput):
            service.rows(session, actor, version.curriculum_id, "latest", cursor="-1")


def test_a_folder_gets_every_file(actor: Actor, version: CurriculumVersion, tmp_path: Path) -> None:
    with unit_of_work() as session:
        written = service.write_folder(session, actor, version.curriculum_id, "latest", tmp_path / "out")
    assert sorted(path.name for path in written) == ["manifest.json", "train.jsonl", "train.parquet"]
    assert (tmp_path / "out" / "manifest.json").read_text() == version.manifest


FULL = """
import resource, sys
from pathlib import Path
from app.errors import StorageFull
from app.features.exports import storage
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    storage.write(Path(sys.argv[1]), b"x" * 5000)
except StorageFull as error:
    print("full:", error.message)
"""


def test_no_room_leaves_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "exports" / "train.jsonl"
    done = subprocess.run([sys.executable, "-c", FULL, str(target)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("full: There is no room for train.jsonl (5,000 bytes)")
    assert list(target.parent.iterdir()) == []


def test_percentiles_are_lengths_that_occur() -> None:
    assert percentiles(list(range(1, 101))) == {"min": 1, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
    assert percentiles([7]) == {"min": 7, "p50": 7, "p90": 7, "p95": 7, "p99": 7, "max": 7}


def test_a_run_is_written_with_every_usable_variant(actor: Actor, tmp_path: Path) -> None:
    with unit_of_work() as session:
        run_id = session.execute(select(Run.id)).scalar_one()
        written = write_run(session, actor, run_id, tmp_path / "out")
        kept = select(Measurement.variant_id).where(Measurement.rate >= 0.01, Measurement.rate <= 0.97)
        main = select(Variant.id).join(Chain, Chain.id == Variant.chain_id).where(Chain.arm == "main")
        hashes = select(Variant.content_hash).where(Variant.id.in_(kept), Variant.id.in_(main))
        usable = set(session.execute(hashes).scalars())
    rows = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert {row["content_hash"] for row in rows} == usable
    assert "unbinned" in {row["difficulty"] for row in rows}, "a rate of 4 in 32 lies below every broad bin"
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["rows"], manifest["run"]["id"]) == (len(rows), run_id)
    assert [path.name for path in written] == ["train.jsonl", "train.parquet", "manifest.json"]


def test_a_run_without_a_usable_variant_says_so(database: str, tmp_path: Path) -> None:
    with unit_of_work() as session:
        actor = builders.owner(session)
        empty = builders.run(session, actor)
        with pytest.raises(InvalidInput, match="no usable variant"):
            write_run(session, actor, empty.id, tmp_path / "out")
        with pytest.raises(NotFound):
            write_run(session, builders.owner(session, "Mallory"), empty.id, tmp_path / "out")
    assert not (tmp_path / "out").exists()
