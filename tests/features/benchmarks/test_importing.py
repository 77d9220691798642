"""Files of benchmarks as they are published, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.domain.overlap import COMMON, item_grams
from app.errors import Forbidden, InvalidInput
from app.features.benchmarks import service
from app.models import AuditEvent, BenchmarkItem, BenchmarkSet
from tests.features.benchmarks.conftest import CODE, STATEMENT, Bring
from tests.support import builders

BODY = CODE.strip().partition("\n")[2]
HEAD = f'def merge(runs, limit):\n    """{STATEMENT}"""\n'
# As each of them is published, but for fields that are passed over.
PUBLISHED: dict[str, tuple[dict[str, object], str, str]] = {
    "HumanEval": (
        {"task_id": "HumanEval/7", "prompt": HEAD, "canonical_solution": BODY, "test": "…", "entry_point": "merge"},
        "HumanEval/7",
        HEAD,
    ),
    "MBPP": ({"task_id": 11, "text": STATEMENT, "code": CODE, "test_list": ["assert …"]}, "11", STATEMENT),
    "MBPP, sanitised": ({"task_id": 11, "prompt": STATEMENT, "code": CODE, "test_imports": []}, "11", STATEMENT),
    "LiveCodeBench": (
        {"question_title": "Merge", "question_content": STATEMENT, "question_id": "abc_12", "starter_code": ""},
        "abc_12",
        STATEMENT,
    ),
    "CRUXEval": ({"code": CODE, "input": "[[1]], 1", "output": "[1]", "id": "sample_3"}, "sample_3", ""),
    "MATH-500": (
        {"problem": STATEMENT, "solution": "Sort.", "answer": "1", "unique_id": "test/algebra/1.json", "level": 2},
        "test/algebra/1.json",
        f"{STATEMENT}\n\nSort.",
    ),
    "AIME": ({"ID": "2024-I-1", "Problem": STATEMENT, "Solution": "S.", "Answer": 7}, "2024-I-1", f"{STATEMENT}\n\nS."),
}


def kept() -> list[BenchmarkItem]:
    with unit_of_work() as session:
        return list(session.execute(select(BenchmarkItem).order_by(BenchmarkItem.position)).scalars())


@pytest.mark.parametrize("benchmark", PUBLISHED)
def test_benchmarks_are_read_as_they_are_published(bring: Bring, benchmark: str) -> None:
    record, name, statement = PUBLISHED[benchmark]
    report = bring(record, name=benchmark)
    assert (report.name, report.added, report.short) == (benchmark, 1, 0)
    (item,) = kept()
    assert (item.name, item.statement) == (name, statement)
    assert bool(item.grams) is bool(statement)
    assert bool(item.signature) is ("code" in record or "canonical_solution" in record)


def test_the_code_of_humaneval_is_the_whole_function(bring: Bring) -> None:
    bring(PUBLISHED["HumanEval"][0])
    bring(PUBLISHED["CRUXEval"][0])
    one, other = kept()
    assert one.code == HEAD + BODY
    assert one.signature == other.signature


def test_parquet_is_read_too(ada: Actor, tmp_path: Path) -> None:
    rows = [record for record, *_ in (PUBLISHED["MBPP"], PUBLISHED["MBPP"])]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mbpp.parquet")
    with unit_of_work() as session:
        report = service.import_path(session, ada, tmp_path / "mbpp.parquet")
    assert (report.name, report.added) == ("mbpp", 2)
    assert [item.name for item in kept()] == ["11", "11"]


def test_items_too_short_to_be_recognised_are_counted(bring: Bring) -> None:
    report = bring({"text": "Add two numbers.", "code": "def f(a, b):\n    return a + b"}, {"text": STATEMENT})
    assert (report.added, report.short) == (2, 1)


@pytest.mark.parametrize(("items", "counts"), [(COMMON, True), (COMMON + 1, False)])
def test_phrases_that_many_items_share_are_passed_over(bring: Bring, items: int, counts: bool) -> None:
    """They belong to the set's form rather than to any of its problems."""
    bring(*({"text": f"{STATEMENT} Number {letter * 9}."} for letter in "abcdefghijk"[:items]))
    phrase = item_grams([STATEMENT])
    assert [phrase <= set(item.grams) for item in kept()] == [counts] * items
    assert all(set(item.grams) - phrase for item in kept()), "what is an item's own stays"


@pytest.mark.parametrize(
    ("record", "field", "remedy"),
    [
        ({"id": "1", "answer": "2"}, "text", "Give it a field text"),
        ({"text": ["a", "b"]}, "text", "Write it as a string"),
        ({"code": "x" * 300_000}, "code", "Shorten it"),
        ({"text": "a\0b"}, "text", "Mend its encoding"),
        ({"task_id": "n\0", "text": "hello"}, "task_id", "Mend its encoding"),
    ],
)
def test_a_bad_record_stops_the_import_and_is_named(
    bring: Bring, record: dict[str, object], field: str, remedy: str
) -> None:
    with pytest.raises(InvalidInput) as stopped:
        bring({"text": STATEMENT}, record)
    assert stopped.value.message.startswith(f"set.jsonl line 2, field {field}: ")
    assert stopped.value.remedy.startswith(remedy)
    assert stopped.value.remedy.endswith("Nothing was imported.")
    with unit_of_work() as session:
        assert session.execute(select(func.count()).select_from(BenchmarkSet)).scalar_one() == 0


def test_other_files_are_refused_with_what_to_bring(ada: Actor, tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text("a,b")
    (tmp_path / "empty.jsonl").write_text("")
    pq.write_table(pa.table({"title": ["a"]}), tmp_path / "other.parquet")
    for name, told in [
        ("set.csv", "of no format"),
        ("empty.jsonl", "no item in it"),
        ("other.parquet", "no column of"),
    ]:
        with unit_of_work() as session, pytest.raises(InvalidInput, match=told):
            service.import_path(session, ada, tmp_path / name)


def test_a_name_stands_once_and_a_missing_one_is_found(bring: Bring) -> None:
    assert [bring({"text": STATEMENT}).name for _ in range(2)] == ["set", "set 2"]
    with pytest.raises(InvalidInput, match="already") as refused:
        bring({"text": STATEMENT}, name="set")
    assert refused.value.field == "name"


def test_viewers_import_nothing_and_members_are_recorded(ada: Actor, bring: Bring) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vi", Role.VIEWER)
    with pytest.raises(Forbidden):
        bring({"text": STATEMENT}, by=viewer)
    bring({"text": STATEMENT})
    with unit_of_work() as session:
        event = session.execute(select(AuditEvent).where(AuditEvent.action == "benchmark_set.imported")).scalar_one()
    assert event.detail == {"name": "set", "origin": "set.jsonl", "items": 1}
