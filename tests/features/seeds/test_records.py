"""Seeds from JSONL and Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from app.db import unit_of_work
from app.errors import InvalidInput
from app.features.seeds.reading.jsonl import MAX_LINE
from app.features.seeds.schemas import MAX_TEXT
from app.models import AuditEvent, Seed, SeedSet
from tests.features.seeds.conftest import Import

Jsonl = Callable[..., Path]
Kept = Callable[[], list[Seed]]
CODE = "def double(x):\n    return 2 * x\n"


def test_a_record_keeps_what_it_says_of_itself(bring: Import, jsonl: Jsonl, kept: Kept) -> None:
    record = {
        "text": CODE,
        "kind": "solution",
        "language": "Python",
        "licence": "MIT",
        "source": "exercises/7",
        "votes": 12,
    }
    report = bring(jsonl(record), "Exercises")
    assert (report.name, report.added) == ("Exercises", 1)
    (seed,) = kept()
    assert (seed.text, seed.kind, seed.language) == (CODE, "solution", "python")
    assert (seed.licence, seed.source) == ("MIT", "exercises/7")
    assert seed.digest == hashlib.sha256(CODE.encode()).hexdigest()


@pytest.mark.parametrize("field", ["text", "code", "content"])
def test_the_code_may_stand_under_several_names(bring: Import, jsonl: Jsonl, kept: Kept, field: str) -> None:
    bring(jsonl({field: CODE, "license": "ISC"}))
    assert [(seed.text, seed.licence) for seed in kept()] == [(CODE, "ISC")]


def test_options_stand_in_for_what_records_do_not_say(bring: Import, jsonl: Jsonl, kept: Kept) -> None:
    path = jsonl({"text": "x = 1", "licence": "MIT"}, {"text": "x = 2", "kind": "solution", "source": "here"})
    bring(path, kind="snippet", licence="Apache-2.0", source="a crawl")
    assert [(seed.kind, seed.licence, seed.source) for seed in kept()] == [
        ("snippet", "MIT", "a crawl"),
        ("solution", "Apache-2.0", "here"),
    ]


def test_exact_duplicates_are_left_out_and_counted(bring: Import, jsonl: Jsonl, kept: Kept) -> None:
    report = bring(jsonl({"text": "x = 1\n"}, {"text": "x = 2"}, {"text": "x = 1\r\n"}, {"text": "x = 2"}))
    assert (report.added, report.duplicates) == (2, 2)
    assert [(seed.position, seed.text) for seed in kept()] == [(0, "x = 1\n"), (1, "x = 2")]


def test_blank_lines_and_a_byte_order_mark_do_no_harm(bring: Import, jsonl: Jsonl) -> None:
    assert bring(jsonl(b"\xef\xbb\xbf" + b'{"text": "x = 1"}', "", "  ", {"text": "x = 2"})).added == 2


def test_more_seeds_than_one_batch_are_all_there(bring: Import, jsonl: Jsonl, kept: Kept) -> None:
    report = bring(jsonl(*({"text": f"x = {number}"} for number in range(1_234))))
    assert report.added == 1_234
    assert [seed.position for seed in kept()] == list(range(1_234))
    with unit_of_work() as session:
        assert session.execute(select(SeedSet.seed_count)).scalar_one() == 1_234


BAD_LINES: dict[str, tuple[object, str]] = {
    "no JSON": ("{text: 1}", "not JSON"),
    "cut off": ('{"text": "x', "not JSON"),
    "a list": ([1, 2], "no object"),
    "no code": ({"body": "x = 1"}, "no code"),
    "a number": ({"text": 7}, "a number, not text"),
    "an object": ({"code": {}}, "an object, not text"),
    "empty": ({"text": " \n\t"}, "empty"),
    "unknown kind": ({"text": "x", "kind": "riddle"}, "no kind 'riddle'"),
    "does not parse": ({"text": "def f(:", "kind": "solution"}, "does not parse as Python (line 1"),
    "too deep to parse": ({"text": "x = " + "(" * 9_000 + ")" * 9_000, "kind": "solution"}, "does not parse"),
    "huge": ({"text": "x" * (MAX_TEXT + 1)}, "65536 is the most"),
    "a huge line": ('{"text": "' + "x" * MAX_LINE + '"}', "longer than"),
    "NUL": ({"text": "x = 1\x00"}, "NUL"),
    "a lone surrogate": ('{"text": "x = \\ud800"}', "surrogate"),
    "binary": ({"text": "\x01\x02\x03\x04" * 8}, "binary"),
    "another encoding": ('{"text": "naïve"}'.encode("latin-1"), "not UTF-8 (byte 0xef at column 13)"),
    "10,000 deep": ('{"text": ' + "[" * 10_000 + "]" * 10_000 + "}", "nested too deeply"),
    "an endless number": ('{"text": ' + "9" * 5_000 + "}", "can't be read"),
    "a long licence": ({"text": "x = 1", "licence": "M" * 201}, "printable characters or fewer"),
    "two lines of source": ({"text": "x = 1", "source": "a\nb"}, "printable characters or fewer"),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_line_stops_the_import_and_is_named(
    bring: Import, jsonl: Jsonl, nothing_is_left: Callable[[], bool], bad: str
) -> None:
    line, told = BAD_LINES[bad]
    with pytest.raises(InvalidInput) as caught:
        bring(jsonl({"text": "x = 0"}, line, {"text": "x = 2"}))
    assert caught.value.message.startswith("seeds.jsonl line 2")
    assert told in caught.value.message
    assert "Nothing was imported" in caught.value.remedy
    assert nothing_is_left()


def test_bad_lines_may_be_left_out_and_are_reported(bring: Import, jsonl: Jsonl, kept: Kept) -> None:
    lines = [line for line, _ in BAD_LINES.values()]
    report = bring(jsonl({"text": "x = 0"}, *lines, {"text": "x = 2"}), skip_bad=True)
    assert [seed.text for seed in kept()] == ["x = 0", "x = 2"]
    assert report.rejected_count == len(lines)
    assert [item.where for item in report.rejected] == [f"seeds.jsonl line {n}" for n in range(2, 2 + len(lines))]
    assert all(item.message for item in report.rejected)


def test_a_snippet_may_be_cut_anywhere(bring: Import, jsonl: Jsonl) -> None:
    assert bring(jsonl({"text": "    return x\n\ndef g(", "kind": "snippet"})).added == 1


def test_a_file_without_seeds_is_refused(bring: Import, jsonl: Jsonl, nothing_is_left: Callable[[], bool]) -> None:
    with pytest.raises(InvalidInput, match="no seed in it"):
        bring(jsonl())
    assert nothing_is_left()


def test_a_name_that_is_taken_is_refused_and_one_not_given_is_made(bring: Import, jsonl: Jsonl) -> None:
    path = jsonl({"text": "x = 1"})
    assert [bring(path).name for _ in range(3)] == ["seeds.jsonl", "seeds.jsonl 2", "seeds.jsonl 3"]
    with pytest.raises(InvalidInput) as caught:
        bring(path, "seeds.jsonl 2")
    assert caught.value.field == "name"


def test_the_import_is_in_the_audit_log(bring: Import, jsonl: Jsonl) -> None:
    report = bring(jsonl({"text": "x = 1"}))
    with unit_of_work() as session:
        event = session.execute(select(AuditEvent)).scalar_one()
    assert (event.action, event.target) == ("seed_set.imported", f"seeds/{report.seed_set_id}")


# --- Parquet ----------------------------------------------------------------------------------------------------


def test_parquet_is_read_by_the_names_of_its_columns(bring: Import, tmp_path: Path, kept: Kept) -> None:
    path = tmp_path / "stack.parquet"
    codes = pa.array(["x = 1", "x = 2"]).dictionary_encode()
    pq.write_table(pa.table({"content": codes, "license": ["MIT", None], "stars": [1, 2]}), path)
    bring(path, licence="BSD-3-Clause")
    assert [(seed.text, seed.licence) for seed in kept()] == [("x = 1", "MIT"), ("x = 2", "BSD-3-Clause")]


def test_a_row_of_parquet_is_named_like_a_line(bring: Import, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x = 1", None]}), path)
    with pytest.raises(InvalidInput, match=r"a\.parquet row 2, field text: There is no code"):
        bring(path)


@pytest.mark.parametrize(
    ("columns", "field"), [({"body": ["x"]}, "text"), ({"text": [1]}, "text"), ({"text": ["x"], "kind": [1.5]}, "kind")]
)
def test_parquet_without_usable_columns_is_refused(
    bring: Import, tmp_path: Path, columns: dict[str, list[object]], field: str
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InvalidInput) as caught:
        bring(path)
    assert caught.value.field == field


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "text"])
def test_damaged_parquet_is_refused(
    bring: Import, tmp_path: Path, nothing_is_left: Callable[[], bool], damage: str
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"x = {n}" for n in range(500)]}), path, compression="none")
    whole = path.read_bytes()
    broken = {"cut": whole[:-40], "noise": whole[:50] + b"\xff" * 200 + whole[250:], "empty": b"", "text": b"x = 1\n"}
    path.write_bytes(broken[damage])
    with pytest.raises(InvalidInput) as caught:
        bring(path)
    assert caught.value.field == "file"
    assert nothing_is_left()


def test_a_small_parquet_that_claims_a_billion_rows_is_refused_at_once(bring: Import, tmp_path: Path) -> None:
    path = tmp_path / "claim.parquet"
    rows = pa.nulls(20_000_000, pa.string())
    pq.write_table(pa.table({"text": rows}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(InvalidInput, match="claims 20000000 rows"):
        bring(path)


def test_a_small_parquet_that_stands_for_gigabytes_is_refused_in_bounded_memory(
    bring: Import, tmp_path: Path, nothing_is_left: Callable[[], bool]
) -> None:
    path = tmp_path / "bomb.parquet"
    one_text = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), pa.array(["y" * 60_000]))
    pq.write_table(pa.table({"text": one_text}), path)
    assert path.stat().st_size < 10_000
    with pytest.raises(InvalidInput, match="holds more than"):
        bring(path)
    assert nothing_is_left()
