"""Seed sets over HTTP."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import text

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.accounts import service as accounts
from tests.support import builders
from tests.support.browsing import Visitor

SETS = "/api/v1/seed-sets"


@pytest.fixture
def program(visitor: Visitor, api_token: str) -> Visitor:
    """A program with a token that may write."""
    return Visitor(visitor.app, api_token)


def made(program: Visitor, name: str, count: int = 1) -> int:
    answer = program.post(SETS, json={"name": name, "seeds": [{"text": f"x = {n}"} for n in range(count)]})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["seed_set_id"])


def test_seeds_go_in_and_come_out_the_same(program: Visitor) -> None:
    seed = {"text": "def f():\n    return 'naïve'\n", "kind": "solution", "licence": "MIT", "source": "a/b.py"}
    answer = program.post(SETS, json={"name": "Mine", "seeds": [seed, seed]})
    report = answer.json()
    assert (answer.status_code, report["added"], report["duplicates"]) == (201, 1, 1)
    (out,) = program.get(f"{SETS}/{report['seed_set_id']}/seeds").json()["items"]
    assert out | seed == out
    assert out["digest"] == hashlib.sha256(seed["text"].encode()).hexdigest()


def test_lists_come_in_pages(program: Visitor) -> None:
    ids = [made(program, f"Set {number}", 5) for number in range(5)]
    seen, before = [], None
    while True:
        page = program.get(SETS, params={"limit": 2} | ({"before": before} if before else {})).json()
        seen += [item["id"] for item in page["items"]]
        before = page["next_before"]
        if before is None:
            break
    assert seen == ids[::-1]
    first = program.get(f"{SETS}/{ids[0]}/seeds?limit=3").json()
    rest = program.get(f"{SETS}/{ids[0]}/seeds?limit=3&after={first['next_after']}").json()
    assert [seed["text"] for seed in first["items"] + rest["items"]] == [f"x = {n}" for n in range(5)]
    assert rest["next_after"] is None


def test_a_file_is_imported(program: Visitor) -> None:
    content = "".join(json.dumps({"code": code}) + "\n" for code in ("x = 1", "", "x = 2"))
    refused = program.post(f"{SETS}/import", files={"file": ("a.jsonl", content)})
    assert refused.status_code == 422
    assert "a.jsonl line 2, field text" in refused.json()["error"]["message"]
    answer = program.post(
        f"{SETS}/import", files={"file": ("a.jsonl", content)}, data={"skip_bad": "true", "name": "A"}
    )
    assert answer.status_code == 201
    report = answer.json()
    assert (report["name"], report["added"], report["rejected_count"]) == ("A", 2, 1)
    assert report["rejected"][0]["where"] == "a.jsonl line 2"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seeds": [{"text": "x"}]}, "name"),
        ({"name": "A", "seeds": []}, "seeds"),
        ({"name": "A", "seeds": [{"text": 7}]}, "seeds.0.text"),
        ({"name": "A", "seeds": [{"text": "x", "colour": "red"}]}, "seeds.0.colour"),
        ({"name": "A", "seeds": [{"text": "x", "kind": "riddle"}]}, "seeds.0.kind"),
        ({"name": " ", "seeds": [{"text": "x"}]}, "name"),
        ({"name": "a\u0000b", "seeds": [{"text": "x"}]}, "name"),
        ({"name": "A", "seeds": [{"text": "x\u0000"}]}, "file"),
        ({"name": "A", "seeds": [{"text": "def f(:", "kind": "solution"}]}, "file"),
    ],
)
def test_what_is_wrong_is_named(program: Visitor, body: dict[str, object], field: str) -> None:
    answer = program.post(SETS, json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert field in ({error["field"]} | set(error["errors"]))
    assert error["request_id"] == answer.headers["x-request-id"]
    assert program.get(SETS).json()["items"] == []


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name": "A", "seeds": [{"text": "\\ud800"}]}',
        b'{"name": "\\ud800", "seeds": [{"text": "x"}]}',
        b'{"name": NaN, "seeds": []}',
        b'{"name": "A", "seeds": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"name": "A", "seeds": ' + b"9" * 5_000 + b"}",
        b"\xff\xfe",
        b"[]",
        b"",
    ],
)
def test_bodies_that_are_no_json_of_ours_are_refused(program: Visitor, raw: bytes) -> None:
    answer = program.post(SETS, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


def test_json_that_is_sent_as_text_is_refused(program: Visitor) -> None:
    body = json.dumps({"name": "A", "seeds": [{"text": "x"}]})
    assert program.post(SETS, content=body, headers={"content-type": "text/plain"}).status_code == 422


@pytest.mark.parametrize("query", ["sort=name", "limit=0", "limit=201", "before=x", "before=99999999999999999999"])
def test_unknown_and_wild_parameters_are_refused(program: Visitor, query: str) -> None:
    answer = program.get(f"{SETS}?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["error"]["errors"]


def test_nobody_gets_in_without_a_good_token(visitor: Visitor, ada: Actor) -> None:
    anonymous = visitor.get(SETS)
    assert (anonymous.status_code, anonymous.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in ("cairn_", "cairn_" + "0" * 72, "x", "Ä"):
        assert visitor.get(SETS, headers={"authorization": f"Bearer {wrong}".encode()}).status_code == 401
    assert visitor.get(SETS, headers={"authorization": "Basic YWRhOmFkYQ=="}).status_code == 401


def test_a_token_that_reads_does_not_write(visitor: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        token = accounts.create_api_token(session, ada, "reader", "read", 1)
    reader = Visitor(visitor.app, token)
    assert reader.get(SETS).status_code == 200
    answer = reader.post(SETS, json={"name": "A", "seeds": [{"text": "x"}]})
    assert answer.status_code == 403
    assert "may only read" in answer.json()["error"]["message"]


def test_a_token_of_one_who_became_a_viewer_does_not_write(program: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        session.execute(text("update membership set role = :role"), {"role": Role.VIEWER.value})
    assert program.get(SETS).status_code == 200
    assert program.post(SETS, json={"name": "A", "seeds": [{"text": "x"}]}).status_code == 403


def test_another_workspace_is_not_there(program: Visitor, visitor: Visitor) -> None:
    set_id = made(program, "Ours")
    with unit_of_work() as session:
        token = accounts.create_api_token(session, builders.owner(session, "Grace"), "theirs", "write", 1)
    other = Visitor(visitor.app, token)
    assert other.get(SETS).json()["items"] == []
    for answer in (
        other.get(f"{SETS}/{set_id}"),
        other.get(f"{SETS}/{set_id}/seeds"),
        other.delete(f"{SETS}/{set_id}?confirm=Ours"),
    ):
        assert answer.status_code == 404
    assert program.delete(f"{SETS}/{set_id}?confirm=Ours").status_code == 204
    assert program.get(f"{SETS}/{set_id}").status_code == 404


def test_a_session_may_use_the_api_with_its_csrf_token(page: Visitor) -> None:
    body = {"name": "A", "seeds": [{"text": "x"}]}
    assert page.get(SETS).status_code == 200
    assert page.post(SETS, json=body).status_code == 403
    assert page.post(SETS, json=body, headers={"x-csrf-token": page.csrf()}).status_code == 201


def test_a_body_that_is_none_is_told_in_our_words(program: Visitor) -> None:
    json_type = {"content-type": "application/json"}
    for told, answer in {
        "This is not JSON: Expecting value.": program.post(SETS, content='{"name": }', headers=json_type),
        "This must be a mapping of names to values.": program.post(SETS, content="[]", headers=json_type),
        "This is required.": program.post(SETS),
    }.items():
        assert (answer.status_code, answer.json()["error"]["errors"]) == (422, {"body": told})
    answer = program.post(f"{SETS}/import", data={"file": "x = 1", "language": "C/C++"})
    assert answer.json()["error"]["errors"] == {"file": "This must be a file."}
    answer = program.post(f"{SETS}/import", files={"file": ("a.py", b"x = 1")}, data={"snippets_per_file": "0"})
    assert answer.json()["error"]["errors"] == {"snippets_per_file": "This must be 1 or more."}
