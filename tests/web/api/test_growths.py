"""Growing over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.accounts import service as accounts
from app.models import Membership, Variant
from tests.support import builders
from tests.support.browsing import Visitor

API = "/api/v1"


@pytest.fixture
def client(application: FastAPI, api_token: str) -> Visitor:
    return Visitor(application, api_token)


@pytest.fixture
def origin(ada: Actor) -> Variant:
    with unit_of_work() as session:
        run = builders.grown_run(session, ada, chains=1, state="finished")
        query = session.query(Variant).where(Variant.run_id == run.id, Variant.turn == 2)
        return query.order_by(Variant.id).limit(1).one()


def ask(client: Visitor, variant_id: int, **asked: object) -> Any:
    return client.post(f"{API}/variants/{variant_id}/grow", json={"direction": "harder"} | asked)


def test_asking_following_and_cancelling(client: Visitor, origin: Variant) -> None:
    answer = ask(client, origin.id, instruction="Ties.", children=2, turns=2, seen=0)
    assert answer.status_code == 201
    made = answer.json()
    assert made["message"].startswith("Asked for 2 children harder, 2 turns deep from 2.1.")
    assert (made["state"], made["asked_by"], made["variants"]) == ("open", "Ada", [])
    assert made["target"] == [0.1, 0.26]
    again = ask(client, origin.id, instruction="Ties.", children=2, turns=2, seen=0).json()
    assert (again["id"], again["repeated"]) == (made["id"], True)
    growth = {name: value for name, value in made.items() if name not in ("message", "repeated")}
    assert client.get(f"{API}/growths/{made['id']}").json() == growth
    assert client.get(f"{API}/variants/{origin.id}/growths").json() == {"items": [growth]}
    assert client.get(f"{API}/runs/{origin.run_id}").json()["state"] == "running"
    assert client.get(f"{API}/runs/{origin.run_id}").json()["summary"]["asked"]["open"] == 1
    assert client.post(f"{API}/growths/{made['id']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{API}/growths/{made['id']}/cancel").status_code == 409
    assert client.get(f"{API}/runs/{origin.run_id}").json()["state"] == "finished"


def test_children_name_the_request_that_they_grew_on(client: Visitor, ada: Actor, origin: Variant) -> None:
    with unit_of_work() as session:
        growth = builders.growth(session, ada, session.get_one(Variant, origin.id)).id
    (child,) = client.get(f"{API}/growths/{growth}").json()["variants"]
    told = client.get(f"{API}/variants/{child}").json()
    assert told["growth_id"] == growth
    assert told["provenance"]["growth"]["instruction"] == "Let ties matter."
    assert client.get(f"{API}/variants/{origin.id}").json()["provenance"]["growth"] is None
    listed = client.get(f"{API}/variants", params={"run": origin.run_id, "asked": True}).json()["items"]
    assert [item["id"] for item in listed] == [child]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"direction": "repair"}, "direction"),
        ({"children": 0}, "children"),
        ({"turns": 7}, "turns"),
        ({"instruction": "x" * 2_001}, "instruction"),
        ({"seen": -1}, "seen"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(client: Visitor, origin: Variant, wrong: dict[str, object], field: str) -> None:
    answer = ask(client, origin.id, **wrong)
    assert answer.status_code == 422
    assert field in answer.text


def test_text_that_can_not_be_stored_is_replaced(client: Visitor, origin: Variant) -> None:
    made = ask(client, origin.id, instruction="a\x00b", seen=0).json()
    assert made["instruction"] == "a\ufffdb"
    assert ask(client, origin.id, instruction="a\x00b", seen=0).json()["repeated"]


def test_viewers_readers_and_strangers_ask_for_nothing(application: FastAPI, ada: Actor, origin: Variant) -> None:
    with unit_of_work() as session:
        growth = builders.growth(session, ada, session.get_one(Variant, origin.id), state="open").id
        vera = builders.member(session, ada, "Vera")
        tokens = {
            403: [
                accounts.create_api_token(session, vera, "viewer", "write", 1),
                accounts.create_api_token(session, ada, "reader", "read", 1),
            ],
            404: [accounts.create_api_token(session, builders.owner(session, "Eve"), "eve", "write", 1)],
        }
        session.query(Membership).where(Membership.user_id == vera.user_id).update({"role": Role.VIEWER.value})
    for status, holders in tokens.items():
        for token in holders:
            client = Visitor(application, token)
            assert ask(client, origin.id).status_code == status
            assert client.post(f"{API}/growths/{growth}/cancel").status_code == status
    assert Visitor(application).post(f"{API}/variants/{origin.id}/grow", json={}).status_code == 401
    stranger = Visitor(application, tokens[404][0])
    assert stranger.get(f"{API}/growths/{growth}").status_code == 404
    assert stranger.get(f"{API}/variants/{origin.id}/growths").status_code == 404
