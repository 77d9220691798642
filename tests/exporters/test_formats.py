"""Both formats hold the same rows, whatever is in them, and the same bytes every time."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import registry
from app.domain.export_row import COLUMNS, ExportRow, decode_row, encode_row
from app.domain.problem import Problem
from app.domain.problem_codec import decode_problem, encode_problem
from app.exporters.parquet import SCHEMA
from app.features.curricula.rows import licence
from tests.domain.values.strategies import values
from tests.support.loading import load_with_datasets

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
rates = st.integers(0, 32).map(lambda passed: passed / 32)
problems = st.builds(
    Problem,
    environment=st.sampled_from(["deduction", "induction"]),
    program=texts,
    inputs=st.lists(st.lists(values, max_size=2).map(tuple), max_size=2).map(tuple),
    outputs=st.lists(values, max_size=2).map(tuple),
    message=texts,
    options=st.dictionaries(texts, st.booleans() | st.integers() | texts, max_size=2),
)


@st.composite
def rows(draw: st.DrawFn, index: int = 0) -> ExportRow:
    problem = draw(problems)
    truth = json.dumps({"env": problem.environment, "id": f"p{index}"})
    rate = draw(rates)
    return {
        "id": f"p{index}",
        "content_hash": draw(texts),
        "env": problem.environment,
        "position": index,
        "stage": draw(st.integers(0, 3)),
        "difficulty": draw(st.sampled_from(["easy", "hard"])),
        "prompt": [{"role": "user", "content": draw(texts)} for _ in range(draw(st.integers(1, 2)))],
        "data_source": f"cairn/{problem.environment}",
        "ability": "code",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "env_class": "cairn",
        "reward_spec": {"method": "rule", "ground_truth": truth},
        "extra_info": {"index": index, "id": f"p{index}", "split": "train", "env": problem.environment},
        "label": truth,
        "datasource": f"cairn/{problem.environment}",
        "problem": encode_problem(problem),
        "licence": licence(draw(texts)),
        "pass_rate": rate,
        "passed": draw(st.integers(0, 32)),
        "n": 32,
        "pass_rate_low": rate,
        "pass_rate_high": rate,
        "provenance": json.dumps({"seed": draw(texts)}),
    }


many = st.integers(1, 5).flatmap(lambda n: st.tuples(*(rows(i) for i in range(n))))


def test_the_parquet_schema_has_the_columns_of_a_row() -> None:
    assert tuple(SCHEMA.names) == COLUMNS


@given(rows())
def test_a_row_and_its_problem_survive_the_way_through_json(row: ExportRow) -> None:
    again = decode_row(encode_row(row))
    assert again == row
    assert encode_row(again) == encode_row(row)
    assert encode_problem(decode_problem(again["problem"])) == row["problem"]


@given(many)
def test_both_formats_hold_the_same_rows(some: tuple[ExportRow, ...]) -> None:
    lines = registry.exporter("jsonl").render(some).decode().splitlines()
    table = pq.read_table(io.BytesIO(registry.exporter("parquet").render(some)))
    assert [json.loads(line) for line in lines] == table.to_pylist() == list(some)
    assert table.schema.equals(SCHEMA)


@given(many)
def test_rendering_again_gives_the_same_bytes(some: tuple[ExportRow, ...]) -> None:
    for exporter in registry.exporters().values():
        assert exporter.render(some) == exporter.render([decode_row(encode_row(row)) for row in some])


@pytest.mark.parametrize("name", registry.exporters())
@pytest.mark.parametrize("change", [{"licence": None}, {"colour": "blue"}])
def test_a_row_with_other_columns_is_refused(name: str, change: dict[str, Any]) -> None:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    for key, value in change.items():
        row.pop(key) if value is None else row.update({key: value})
    with pytest.raises(ValueError, match="columns"):
        registry.exporter(name).render([row])


@pytest.mark.parametrize("name", registry.exporters())
def test_an_export_without_rows_is_a_file_all_the_same(name: str) -> None:
    data = registry.exporter(name).render([])
    assert data == b"" or pq.read_table(io.BytesIO(data)).schema.equals(SCHEMA)


def test_the_datasets_library_loads_both_with_the_same_features(tmp_path: Path) -> None:
    awkward = Problem(
        "deduction",
        "def f(day):\n    return 10**30",
        (("2024-02-29",),),
        (10**30,),
        options={"wall_ms": 1000, "exact": True},
    )
    some: list[dict[str, Any]] = []
    for index, licence_text in enumerate(("2024-02-29", "2024-03-01T10:00:00", "2024-03")):
        truth = json.dumps({"env": "deduction", "id": f"p{index}"})
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
            "id": f"p{index}",
            "position": index,
            "stage": 0,
            "prompt": [{"role": "user", "content": "What does f return?"}],
            "reward_model": {"style": "rule", "ground_truth": truth},
            "reward_spec": {"method": "rule", "ground_truth": truth},
            "extra_info": {"index": index, "id": f"p{index}", "split": "train", "env": "deduction"},
            "problem": encode_problem(awkward),
            "licence": licence(licence_text),
            "pass_rate": 1.0,
            "passed": 32,
            "n": 32,
            "pass_rate_low": 0.0,
            "pass_rate_high": 1.0,
        }
        some.append(row)
    files = (registry.exporter(name).render(some) for name in ("jsonl", "parquet"))
    loaded = load_with_datasets(tmp_path, *files)
    assert loaded["rows"] == some
    assert {loaded["features"][name] for name in ("pass_rate", "pass_rate_low")} == {"Value('float64')"}
    assert decode_problem(loaded["rows"][0]["problem"]) == awkward
