"""The stream behind a live page, over a real connection."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import pytest
import redis
from sqlalchemy import text

from app import events
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from tests.support import builders

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Message:
    name: str
    data: dict[str, object]
    id: str


@pytest.fixture
def run_id(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.run(session, ada).id


@pytest.fixture
def client(server: str, ada: Actor) -> Iterator[httpx2.Client]:
    """A browser in which Ada is signed in."""
    with unit_of_work() as session:
        link = accounts.create_sign_in_link(session, ada)
    with httpx2.Client(base_url=server, timeout=PATIENCE_S) as client:
        assert client.post(f"/signin/{link}").status_code == 303
        yield client


@contextmanager
def listening(client: httpx2.Client, run_id: int, **headers: str) -> Iterator[Iterator[Message]]:
    with client.stream("GET", f"/runs/{run_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield messages(answer)


def messages(answer: httpx2.Response) -> Iterator[Message]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Message(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
            fields = {}
        else:
            fields = {}


def happen(ada: Actor, run_id: int, *kinds: str) -> None:
    with unit_of_work() as session:
        for kind in kinds:
            events.publish(session, ada.workspace_id, run_id, kind)


def newest() -> int:
    with unit_of_work() as session:
        return int(session.execute(text("select max(id) from event")).scalar_one())


def test_what_happens_is_told_with_an_id(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    happen(ada, run_id, "chain")  # before the page was opened
    with listening(client, run_id) as told:
        happen(ada, run_id, "variant", "variant", "chain")
        message = next(told)
        assert (message.name, message.data) == ("progress", {"changed": {"variant": 2, "chain": 1}})
        assert int(message.id) == newest()


def test_a_stream_goes_on_where_it_broke_off(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    happen(ada, run_id, "variant")
    seen = newest()
    happen(ada, run_id, "chain", "incident")
    with listening(client, run_id, **{"Last-Event-ID": str(seen)}) as told:
        assert next(told).data == {"changed": {"chain": 1, "incident": 1}}


def test_a_page_may_say_up_to_where_it_knows(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    happen(ada, run_id, "variant")
    with client.stream("GET", f"/runs/{run_id}/events?after=0") as answer:
        assert next(messages(answer)).data == {"changed": {"variant": 1}}


def test_a_late_commit_with_a_smaller_id_is_not_lost(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    with listening(client, run_id) as told, unit_of_work() as slow:
        events.publish(slow, ada.workspace_id, run_id, "incident")
        slow.flush()
        happen(ada, run_id, "chain")
        first = next(told)
        assert first.data == {"changed": {"chain": 1}}
        slow.commit()
        events.nudge(run_id, "incident")
        second = next(told)
        assert second.data == {"changed": {"incident": 1}}
        assert int(second.id) == int(first.id)


def test_a_burst_comes_as_a_few_messages_and_none_is_missed(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    with listening(client, run_id) as told:
        start = time.monotonic()
        for _ in range(60):
            happen(ada, run_id, "variant")
        count = heard = 0
        while count < 60:
            count += next(told).data["changed"]["variant"]  # type: ignore[index]
            heard += 1
        assert count == 60
        assert heard <= 2 + 2 * (time.monotonic() - start)


def test_other_runs_are_not_heard(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    with unit_of_work() as session:
        other = builders.run(session, ada).id
    with listening(client, run_id) as told:
        happen(ada, other, "incident")
        happen(ada, run_id, "chain")
        assert next(told).data == {"changed": {"chain": 1}}


@pytest.mark.parametrize(
    "ending", ["delete from session", "update session set expires_at = now()", "delete from membership"]
)
def test_a_stream_ends_with_its_session(client: httpx2.Client, ada: Actor, run_id: int, ending: str) -> None:
    with listening(client, run_id) as told:
        with unit_of_work() as session:
            session.execute(text(ending))
        happen(ada, run_id, "chain")
        assert [message.name for message in told] == ["signed-out"]


def test_without_the_broker_the_database_is_asked(
    client: httpx2.Client, ada: Actor, run_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    broker = redis.Redis.from_url(events.redis_url())
    with listening(client, run_id) as told:
        assert broker.client_kill_filter(_type="pubsub") >= 1
        with unit_of_work() as session:  # and nobody is woken
            session.execute(
                text("insert into event (workspace_id, run_id, kind) values (:w, :r, 'chain')"),
                {"w": ada.workspace_id, "r": run_id},
            )
        assert next(told).data == {"changed": {"chain": 1}}


def test_the_subscription_comes_back(client: httpx2.Client, ada: Actor, run_id: int) -> None:
    broker = redis.Redis.from_url(events.redis_url())
    broker.client_kill_filter(_type="pubsub")
    deadline = time.monotonic() + PATIENCE_S
    while not broker.pubsub_numpat():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_of_another_workspace_is_not_there(client: httpx2.Client, database: str) -> None:
    with unit_of_work() as session:
        theirs = builders.run(session, builders.owner(session, "Grace")).id
    assert client.get(f"/runs/{theirs}/events").status_code == 404
    assert client.get("/runs/999/events").status_code == 404


def test_who_is_not_signed_in_gets_no_stream(server: str, run_id: int) -> None:
    answer = httpx2.get(f"{server}/runs/{run_id}/events", headers={"accept": "text/event-stream"})
    assert answer.status_code == 401


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30])
def test_a_wild_last_event_id_does_no_harm(client: httpx2.Client, ada: Actor, run_id: int, last: str) -> None:
    with listening(client, run_id, **{"Last-Event-ID": last}) as told:
        happen(ada, run_id, "chain")
        assert next(told).data == {"changed": {"chain": 1}}


def test_tokens_of_links_stay_out_of_the_log(server: str, ada: Actor, caplog: pytest.LogCaptureFixture) -> None:
    with unit_of_work() as session:
        link = accounts.create_sign_in_link(session, ada)
    access = logging.getLogger("uvicorn.access")
    access.addHandler(caplog.handler)
    try:
        httpx2.get(f"{server}/signin/{link}?next=/runs")
    finally:
        access.removeHandler(caplog.handler)
    assert "/signin/...?next=/runs" in caplog.text
    assert link not in caplog.text
