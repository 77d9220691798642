"""docs/formats.md says what the code does: its tables name the fields, its examples are read and graded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from app.domain.export_row import COLUMNS
from app.domain.values import dumps, parse_literal
from app.features.grading.schemas import Graded, PlainAnswer, PlainProblem, read_answer, read_problem
from app.features.grading.service import grade_some

DOCUMENT = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def fields(title: str) -> list[str]:
    """The names in the first column of a section's table."""
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section(title), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"\w+", cell)]


def example(title: str) -> object:
    found = re.search(r"```json\n(.*?)```", section(title), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_tables_name_every_field() -> None:
    assert fields("Exports") == list(COLUMNS)
    assert fields("Problems") == list(PlainProblem.model_fields)
    assert fields("Answers") == list(PlainAnswer.model_fields)
    assert fields("Verdicts") == list(Graded.model_fields)


def test_every_value_is_spelled_as_the_table_says() -> None:
    for row in section("Values").splitlines():
        cells = row.strip("| ").split(" | ")
        if len(cells) < 2 or not row.startswith("| `"):
            continue
        literals, spellings = (re.findall(r"`([^`]+)`", cell) for cell in cells[:2])
        assert [dumps(parse_literal(text)) for text in literals] == spellings[: len(literals)]
    assert dumps(10**30) == '{"i":"0xc9f2c9cd04674edea40000000"}'


async def test_the_examples_are_graded_as_shown() -> None:
    known, answer = read_problem(example("Problems")), read_answer(example("Answers"))
    assert [graded.model_dump() for graded in await grade_some(known, [answer])] == [example("Verdicts")]
