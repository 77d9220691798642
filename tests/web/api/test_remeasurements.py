"""Measuring again over HTTP."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.models import Membership, Remeasurement, Run, Variant
from tests.support import builders
from tests.support.browsing import Visitor

API = "/api/v1"
STUDENT = {"engine": "procedural", "options": {"budget": 2.0}}


@pytest.fixture
def client(application: FastAPI, api_token: str) -> Visitor:
    return Visitor(application, api_token)


@pytest.fixture
def run(ada: Actor) -> Run:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=1, state="finished")


def test_asking_following_and_changing(client: Visitor, run: Run) -> None:
    answer = client.post(f"{API}/remeasurements", json={"selection": {"run": run.id}, "student": STUDENT})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["state"], made["done"], made["attempts"], made["left_out"]) == ("running", 0, 32, {})
    again = client.post(f"{API}/remeasurements", json={"selection": {"run": run.id}, "student": STUDENT})
    assert again.status_code == 422
    assert "being measured with this student" in again.text
    path = f"{API}/remeasurements/{made.pop('id')}"
    left_out = made.pop("left_out")
    assert left_out == {}
    assert client.get(path).json() | made == client.get(path).json()
    assert client.post(f"{path}/pause").json()["state"] == "paused"
    assert client.post(f"{path}/pause").status_code == 409
    assert client.post(f"{path}/resume").json()["state"] == "running"
    assert client.post(f"{path}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{path}/resume").status_code == 409
    assert client.post(f"{path}/explode").status_code == 404
    assert [item["name"] for item in client.get(f"{API}/remeasurements").json()["items"]] == [made["name"]]


def test_results_stand_beside_the_own_measurement_a_page_at_a_time(client: Visitor, ada: Actor, run: Run) -> None:
    with unit_of_work() as session:
        query = session.query(Variant).where(Variant.run_id == run.id, Variant.invalid_code.is_(None))
        variants = query.order_by(Variant.id).all()[:5]
        made = builders.remeasurement(session, ada, *variants).id
        expected = [variant.id for variant in variants[:3]]
    first = client.get(f"{API}/remeasurements/{made}/results?limit=2").json()
    rest = client.get(f"{API}/remeasurements/{made}/results?after={first['next_after']}").json()
    assert [item["variant_id"] for item in first["items"] + rest["items"]] == expected
    assert rest["next_after"] is None
    second = first["items"][1]
    assert (second["new"]["passed"], second["new"]["failed"], second["new"]["rate"]) == (7, 25, 7 / 32)
    own = client.get(f"{API}/variants/{second['variant_id']}").json()["measurement"]
    assert second["own"] == own


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"selection": {}}, "selection"),
        ({"selection": {"run": 1, "revision": "0" * 64}}, "selection"),
        ({"selection": {"revision": "latest"}}, "selection.revision"),
        ({"selection": {"variants": [0]}}, "selection.variants"),
        ({"selection": {"run": 1}, "attempts": 0}, "attempts"),
        ({"selection": {"run": 1}, "student": {"engine": "none"}}, "student.engine"),
        ({"selection": {"run": 1}, "student": {"engine": "procedural", "options": {"budget": "x"}}}, "student.options"),
        ({"selection": {"run": 1}, "strange": 1}, "strange"),
        ({"selection": {"run": 1}, "name": "a\u0000b"}, "name"),
    ],
)
def test_what_is_wrong_is_named(client: Visitor, run: Run, body: dict[str, object], field: str) -> None:
    answer = client.post(f"{API}/remeasurements", json=body)
    assert answer.status_code == 422
    assert field in answer.text


def test_nobody_reaches_another_workspace_and_viewers_change_nothing(
    application: FastAPI, client: Visitor, ada: Actor, run: Run
) -> None:
    with unit_of_work() as session:
        eve = builders.owner(session, "Eve")
        theirs = builders.grown_run(session, eve, chains=1)
        variant = session.query(Variant).where(Variant.run_id == theirs.id, Variant.problem.is_not(None)).first()
        assert variant is not None
        strange = builders.remeasurement(session, eve, variant).id
    for path in ("", "/results"):
        assert client.get(f"{API}/remeasurements/{strange}{path}").status_code == 404
    assert client.post(f"{API}/remeasurements/{strange}/cancel").status_code == 404
    for selection in ({"run": theirs.id}, {"variants": [variant.id]}, {"revision": "0" * 64}):
        body = {"selection": selection, "student": STUDENT}
        assert client.post(f"{API}/remeasurements", json=body).status_code == 404
    assert client.get(f"{API}/remeasurements").json()["items"] == []
    with unit_of_work() as session:
        session.query(Membership).where(Membership.user_id == ada.user_id).one().role = Role.VIEWER.value
    body = {"selection": {"run": run.id}, "student": STUDENT}
    assert client.post(f"{API}/remeasurements", json=body).status_code == 403
    with unit_of_work() as session:
        assert session.query(Remeasurement).count() == 1
        assert session.get_one(Remeasurement, strange).state == "running"
