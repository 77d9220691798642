"""The reference of the API: complete, light, without scripts; and its commands work."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.web.reference import Reference
from tests.support import curl
from tests.support.browsing import Visitor

HTML_LIMIT = 60_000


def commands(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r"<code data-curl>(.*?)</code>", page, re.DOTALL)]


def test_every_operation_and_schema_has_its_place(visitor: Visitor, application: FastAPI) -> None:
    document = application.openapi()
    reference = Reference(document, "http://localhost:8000")
    pages = {part: visitor.get(f"/api/v1/docs?part={part}").text for part in [*reference.groups(), "schemas"]}
    for operation in reference.operations:
        assert f'id="{operation.anchor}"' in pages[operation.group]
    for name in reference.schema_names():
        pages[name] = visitor.get(f"/api/v1/docs?schema={name}").text
        assert f'id="{name}"' in pages[name]
    assert all("<script>" not in page and " style=" not in page for page in pages.values())
    assert max(len(page.encode()) for page in pages.values()) < HTML_LIMIT
    linked = {name for page in pages.values() for name in re.findall(r"docs\?schema=(\w+)", page)}
    assert linked <= set(reference.schema_names())


def test_no_two_schemas_share_a_name(application: FastAPI) -> None:
    """FastAPI would call both by the paths of their modules."""
    assert [name for name in application.openapi()["components"]["schemas"] if "__" in name] == []


def test_every_operation_says_what_it_does(application: FastAPI) -> None:
    operations = Reference(application.openapi(), "").operations
    assert len({operation.anchor for operation in operations}) == len(operations)
    assert all(operation.title and operation.group != "other" for operation in operations)


@pytest.mark.parametrize("query", ["part=nothing", "schema=Nothing", "colour=red"])
def test_unknown_parts_are_refused(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/api/v1/docs?{query}").status_code in (404, 422)


def test_the_commands_for_seeds_work_in_a_new_workspace(visitor: Visitor, api_token: str, tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text(json.dumps({"text": "x = 1"}) + "\n")
    found = commands(visitor.get("/api/v1/docs?part=seeds").text)
    answers = {}
    for command in sorted(found, key=lambda command: ["-X POST", "curl -H", "-X DELETE"].index(_kind(command))):
        answer = curl.run(visitor, command, tmp_path, api_token)
        answers[command] = answer.status_code
    assert set(answers.values()) == {200, 201, 204}, answers
    assert len(answers) == len(found) == 6


def _kind(command: str) -> str:
    return next(kind for kind in ("-X POST", "-X DELETE", "curl -H") if kind in command)
