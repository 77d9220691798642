"""Curricula, their revisions and grading over HTTP, as a program with a token sees them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from fastapi import FastAPI

from app import registry
from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.problem_codec import decode_problem
from app.features.accounts import service as accounts
from tests.support import builders
from tests.support.browsing import Visitor

API = "/api/v1/curricula"


@pytest.fixture
def client(application: FastAPI, ada: Actor, api_token: str) -> Visitor:
    """Ada's program; her workspace holds a run of eight chains."""
    with unit_of_work() as session:
        builders.grown_run(session, ada, chains=8, attempts=False)
    return Visitor(application, api_token)


@pytest.fixture
def reader(application: FastAPI, ada: Actor) -> Visitor:
    with unit_of_work() as session:
        return Visitor(application, accounts.create_api_token(session, ada, "reads", "read", 1))


def made(client: Visitor, name: str = "stones", **selection: Any) -> dict[str, Any]:
    answer = client.post(API, json={"name": name, "selection": {"approved_only": False} | selection})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def frozen(client: Visitor, name: str = "stones", **selection: Any) -> str:
    """The address of a frozen revision."""
    number = made(client, name, **selection)["id"]
    answer = client.post(f"{API}/{number}/versions/1/freeze")
    assert answer.status_code == 200, answer.text
    return f"{API}/{number}/revisions/{answer.json()['revision']}"


# --- Curricula and versions ---


def test_a_curriculum_from_draft_to_revision(client: Visitor) -> None:
    curriculum = made(client)
    path = f"{API}/{curriculum['id']}"
    draft = client.get(f"{path}/versions/1").json()
    assert draft["problems"] == sum(sum(bins.values()) for bins in draft["counts"].values()) > 8
    assert draft["problems"] == sum(count for _, count in draft["pass_rates"])
    assert {e["reason"] for e in draft["excluded"]} >= {"invalid", "outside_bins"}
    changed = client.put(f"{path}/versions/1/selection", json={"approved_only": False, "bins": ["hard"]}).json()
    assert set(changed["counts"]["induction"]) == {"easy", "easy-medium", "medium", "hard"}
    assert changed["problems"] < draft["problems"]
    stale = client.post(f"{path}/versions/1/freeze", json={"seen": draft["seen"]})
    assert (stale.status_code, stale.json()["error"]["field"]) == (409, "seen")
    done = client.post(f"{path}/versions/1/freeze", json={"seen": changed["seen"]}).json()
    assert done["problems"] == changed["problems"]
    assert done["counts"] == changed["counts"]
    assert client.post(f"{path}/versions/1/freeze").status_code == 409
    assert client.put(f"{path}/versions/1/selection", json={}).status_code == 409
    assert client.get(path).json()["versions"][0]["revision"] == done["revision"]


def test_lists_come_in_pages(client: Visitor) -> None:
    for number in range(5):
        made(client, f"number {number}")
    first = client.get(API, params={"limit": 3}).json()
    rest = client.get(API, params={"limit": 3, "before": first["next_before"]}).json()
    names = [item["name"] for item in first["items"] + rest["items"]]
    assert names == [f"number {number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next_before"] is None


def test_a_diff_between_versions(client: Visitor) -> None:
    path = frozen(client).partition("/revisions")[0]
    assert client.post(f"{path}/versions").json()["number"] == 2
    client.put(f"{path}/versions/2/selection", json={"approved_only": False, "environments": ["induction"]})
    found = client.get(f"{path}/diff", params={"base": 1, "to": 2}).json()
    assert found["added"] == 0
    assert found["removed"] == len(found["removed_items"]) > 0
    assert "induction" not in {item["environment"] for item in found["removed_items"]}
    assert client.get(f"{path}/diff", params={"base": 1, "to": 9}).status_code == 404
    assert client.get(f"{path}/diff", params={"base": 1, "to": 2**31}).status_code == 422
    assert client.get(f"{path}/versions/{2**31}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "selection": {}}, "name"),
        ({"name": "x", "selection": {"colour": 1}}, "colour"),
        ({"name": "x", "selection": {"runs": [10**9]}}, "runs"),
        ({"name": "x", "selection": {"runs": [10**19]}}, "runs.0"),
        ({"name": "x", "selection": {"student": 10**19}}, "student"),
        ({"name": "x", "selection": {"environments": ["\0"]}}, "environments.0"),
        ({"name": "a\0b", "selection": {}}, "name"),
        ({"name": "x", "selection": {"bins": ["none"]}}, "bins"),
        ({"selection": {}}, "name"),
    ],
)
def test_a_wrong_curriculum_names_its_field(client: Visitor, body: dict[str, Any], field: str) -> None:
    answer = client.post(API, json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


# --- Revisions ---


def test_files_are_what_the_manifest_says(client: Visitor) -> None:
    address = frozen(client)
    manifest = client.get(f"{address}/manifest.json").json()
    assert [file["path"] for file in manifest["files"]] == ["train.jsonl", "train.parquet"]
    for file in manifest["files"]:
        answer = client.get(f"{address}/files/{file['path']}")
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert answer.headers["content-length"] == str(file["bytes"]) == str(len(answer.content))
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["cache-control"].startswith("private")


@pytest.mark.parametrize("name", ["manifest.json", "files/train.jsonl", "files/train.parquet"])
def test_what_is_known_is_not_sent_again(client: Visitor, name: str) -> None:
    address = f"{frozen(client)}/{name}"
    tag = client.get(address).headers["etag"]
    for asked in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = client.get(address, headers={"If-None-Match": asked})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == client.get(address).headers["content-length"]


def test_a_download_can_be_resumed(client: Visitor) -> None:
    address = f"{frozen(client)}/files/train.jsonl"
    whole = client.get(address)
    half = len(whole.content) // 2
    tail = client.get(address, headers={"Range": f"bytes={half}-", "If-Range": whole.headers["etag"]})
    assert tail.status_code == 206
    assert tail.headers["content-range"] == f"bytes {half}-{len(whole.content) - 1}/{len(whole.content)}"
    head = client.get(address, headers={"Range": f"bytes=0-{half - 1}"})
    assert head.content + tail.content == whole.content
    changed = client.get(address, headers={"Range": f"bytes={half}-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    assert client.get(address, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def test_latest_leads_to_the_newest_revision(client: Visitor) -> None:
    address = frozen(client)
    path = address.partition("/revisions")[0]
    answer = client.get(f"{path}/revisions/latest/files/train.jsonl")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{address}/files/train.jsonl")
    assert answer.headers["cache-control"] == "no-store"
    rows = client.get(f"{path}/revisions/latest/rows", params={"limit": 2})
    assert rows.headers["location"] == f"{address}/rows?limit=2"


def test_rows_are_read_page_by_page(client: Visitor) -> None:
    address = frozen(client)
    whole = client.get(f"{address}/files/train.jsonl").text
    following, lines = f"{address}/rows?limit=3", ""
    while following:
        page = client.get(following)
        lines += page.text
        following = page.links.get("next", {}).get("url", "")
    assert lines == whole
    env = json.loads(whole.splitlines()[0])["env"]
    chosen = client.get(f"{address}/rows", params={"env": env, "stage": 0}).text.splitlines()
    assert {(json.loads(line)["env"], json.loads(line)["stage"]) for line in chosen} == {(env, 0)}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/files/train.csv", 404),
        ("/files/..%2f..%2fsecret", 404),
        ("/rows?cursor=x", 422),
        ("/rows?limit=0", 422),
        ("/rows?limit=100000", 422),
    ],
)
def test_what_is_not_there(client: Visitor, path: str, status: int) -> None:
    assert client.get(frozen(client) + path).status_code == status


def test_an_unknown_or_malformed_revision_is_not_found(client: Visitor) -> None:
    path = frozen(client).partition("/revisions")[0]
    for sha in ("0" * 64, "head", "0" * 63):
        assert client.get(f"{path}/revisions/{sha}/manifest.json").status_code == 404


def test_nobody_else_reads_it(client: Visitor, application: FastAPI) -> None:
    address = frozen(client)
    with unit_of_work() as session:
        mallory = builders.owner(session, "Mallory")
        token = accounts.create_api_token(session, mallory, "tests", "write", 1)
    stranger = Visitor(application, token)
    for path in ("/manifest.json", "/files/train.jsonl", "/rows"):
        assert stranger.get(address + path).status_code == 404
        assert Visitor(application).get(address + path).status_code == 401
    assert stranger.get(address.partition("/revisions")[0]).status_code == 404


def test_a_token_that_may_only_read_reads(client: Visitor, reader: Visitor) -> None:
    address = frozen(client)
    assert reader.get(f"{address}/files/train.jsonl").status_code == 200
    assert reader.post(API, json={"name": "x"}).status_code == 403


# --- Grading ---


def test_answers_to_a_frozen_problem_are_scored(client: Visitor) -> None:
    address = frozen(client)
    row = next(
        json.loads(line) for line in client.get(f"{address}/rows").text.splitlines() if '"env":"abduction"' in line
    )
    reference = registry.environment("abduction").reference_answer(decode_problem(row["problem"]))
    curriculum = int(address.split("/")[4])
    wanted = {"curriculum": curriculum, "revision": address.rpartition("/")[2], "id": row["id"]}
    answers = [{"reply": reference}, {"answer": "()"}, {"answer": "1 +"}]
    answer = client.post("/api/v1/score", json={"frozen": wanted, "answers": answers})
    assert answer.status_code == 200, answer.text
    verdicts = answer.json()["verdicts"]
    assert [v["reward"] for v in verdicts] == [1.0, 0.0, 0.0]
    assert {v["id"] for v in verdicts} == {row["id"]}
    assert verdicts[2]["reason"] == "bad_literal"
    missing = client.post("/api/v1/score", json={"frozen": wanted | {"id": "abduction-0"}, "answers": answers})
    assert missing.status_code == 404


def test_the_example_of_the_documentation_works(client: Visitor) -> None:
    operation = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/score"]["post"]
    (example,) = operation["requestBody"]["content"]["application/json"]["examples"].values()
    verdicts = client.post("/api/v1/score", json=example["value"]).json()["verdicts"]
    assert [v["verdict"] for v in verdicts] == ["passed", "failed"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"answers": [{"answer": "1"}]}, "problem"),
        ({"problem": {"id": "x"}, "answers": [{"answer": "1"}]}, "environment"),
        ({"problem": {}, "answers": []}, "answers"),
        ({"problem": {}, "answers": [{"answer": "1"}] * 65}, "answers"),
    ],
)
def test_a_wrong_request_names_its_field(client: Visitor, body: dict[str, Any], field: str) -> None:
    answer = client.post("/api/v1/score", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
