"""Embeddings of a run, on its diversity page and over HTTP: every state, to whom, and that both say the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.accounts import service as accounts
from app.models import AuditEvent, Run, RunEmbedding
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.counting import statements
from tests.support.tables import tables

OPTIONS = {"base_url": "http://gpu-1:8000/v1", "model": "qwen3-embedding"}
EMBEDDER = {"embedder": {"engine": "openai", "options": OPTIONS}}
TYPED = {"embedder.engine": "openai"} | {f"embedder.options.{name}": value for name, value in OPTIONS.items()}


@pytest.fixture
def run(ada: Actor) -> Run:
    """Main: 20 valid variants, the last 6 of them in the environment of the first; baseline: 8."""
    with unit_of_work() as session:
        made = builders.grown_run(session, ada, chains=4, attempts=False)
        builders.grown_chain(session, made, 4, attempts=False)
        builders.sketches(session, made)
    return made


@pytest.fixture
def client(application: FastAPI, api_token: str) -> Visitor:
    return Visitor(application, api_token)


def diversity(run: Run) -> str:
    return f"/runs/{run.id}/diversity"


def api(run: Run) -> str:
    return f"/api/v1/runs/{run.id}/embeddings"


def state(ada: Actor, run: Run, *told: str) -> None:
    with unit_of_work() as session:
        builders.embeddings(session, ada, run, *told)


def test_nobody_asked_yet(page: Visitor, run: Run) -> None:
    text = page.get(diversity(run)).text
    assert 'name="embedder.options.base_url"' in text
    assert ">Embed</button>" in text
    told = page.get(api(run)).json()
    assert (told["state"], told["embedded"], told["spreads"], told["alike"]) == (None, 0, [], 0.9)


def test_asking_by_form(page: Visitor, run: Run, ada: Actor) -> None:
    answer = page.submit(diversity(run), TYPED)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{diversity(run)}#embeddings")
    text = page.get(diversity(run)).text
    assert 'aria-label="Embedding by qwen3-embedding"' in text
    assert "Embed again" not in text
    with unit_of_work() as session:
        asked = session.get_one(RunEmbedding, run.id)
        assert asked.config == {"embedder": {"engine": "openai", "options": OPTIONS}}
        [event] = session.query(AuditEvent).where(AuditEvent.action == "run.embedding_started")
        assert (event.target, event.user_id) == (f"runs/{run.id}", ada.user_id)


def test_a_form_that_is_wrong_comes_back_as_typed(page: Visitor, run: Run) -> None:
    answer = page.submit(diversity(run), TYPED | {"embedder.options.base_url": "gpu-1"})
    assert answer.status_code == 422
    assert 'value="gpu-1"' in answer.text
    assert "This must be an address such as http://gpu-1:8000/v1." in answer.text
    assert 'value="qwen3-embedding"' in answer.text
    with unit_of_work() as session:
        assert session.get(RunEmbedding, run.id) is None


def test_while_it_runs_the_page_says_how_far_it_is(page: Visitor, run: Run, ada: Actor) -> None:
    state(ada, run, "running", "The server answered 503: the queue is full")
    with statements() as sent:
        text = page.get(diversity(run), headers={"HX-Request": "true"}).text
    assert text.strip().startswith("<section"), "only what follows by itself"
    assert not any("sketch" in statement for statement in sent)
    told = page.get(api(run)).json()
    assert told["state"] == "running"
    assert f"{told['embedded']} of {told['valid']} variants" in text
    assert "It is tried again: The server answered 503: the queue is full" in text
    assert 'hx-trigger="every 2s"' in text
    assert 'name="embedder' not in text


def test_pausing_by_form_and_over_http(page: Visitor, client: Visitor, run: Run, ada: Actor) -> None:
    state(ada, run, "running")
    text = page.get(diversity(run)).text
    assert f'action="{diversity(run)}/pause"' in text
    answer = page.submit(f"{diversity(run)}/pause", {})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{diversity(run)}#embeddings")
    text = page.get(diversity(run)).text
    assert "Paused. 17 of 34 variants are embedded." in text
    assert ">Resume</button>" in text
    with unit_of_work() as session:
        assert session.query(AuditEvent).where(AuditEvent.action == "run.embedding_paused").count() == 1
    assert client.post(f"{api(run)}/pause").status_code == 409
    assert client.post(api(run), json=EMBEDDER).json()["state"] == "running"
    assert client.post(f"{api(run)}/pause").json()["state"] == "paused"


def test_trouble_that_stays_is_told_with_the_form_as_it_was_sent(page: Visitor, run: Run, ada: Actor) -> None:
    state(ada, run, "paused", "The server asks for a key (401).")
    text = page.get(diversity(run)).text
    assert "The server asks for a key (401)." in text
    assert 'value="http://gpu-1:8000/v1"' in text
    assert "hx-trigger" not in text
    assert page.get(api(run)).json()["error"] == "The server asks for a key (401)."
    assert page.submit(diversity(run), TYPED).status_code == 303
    assert page.get(api(run)).json()["error"] == ""


def test_page_and_api_give_the_same_figures_and_pairs(page: Visitor, run: Run, ada: Actor) -> None:
    state(ada, run)
    told = page.get(api(run)).json()
    assert (told["state"], told["valid"], told["embedded"], told["too_long"]) == ("done", 34, 34, 0)
    whole, single = (spread for spread in told["spreads"] if spread["environment"] is None)
    assert (whole["arm"], whole["n"], single["arm"], single["n"]) == ("main", 26, "baseline", 8)
    text = page.get(diversity(run)).text
    shown = tables(text)
    figures, pairs = shown["vectors"], shown["pairs"]
    among = str(whole["curve"][7])
    assert figures[1] == ["all", "This run", "26", among, "8", f"{whole['mean_distance']:.2f}", "325"]
    among = str(single["clusters"])
    assert figures[2] == ["all", "Single-turn", "8", among, "8", f"{single['mean_distance']:.2f}", "28"]
    assert len(pairs) == 1 + len(whole["pairs"]) == 21
    closest = whole["pairs"][0]
    assert pairs[1][:3] == [f"{closest['cosine']:.3f}", "Induction", "This run"]
    assert closest["cosine"] == pytest.approx(1), "two chains of one family"
    for variant_id in closest["variants"]:
        assert f'href="/variants/{variant_id}"' in text
        assert page.get(f"/variants/{variant_id}").status_code == 200


def test_variants_that_came_since_are_counted_as_missing(page: Visitor, run: Run, ada: Actor) -> None:
    state(ada, run)
    with unit_of_work() as session:
        builders.variant(session, builders.chain(session, run, 9))
    assert "1 valid variant came since, and is not in these figures" in page.get(diversity(run)).text
    told = page.get(api(run)).json()
    assert (told["valid"], told["embedded"]) == (35, 34)


def test_asking_over_http(client: Visitor, run: Run) -> None:
    answer = client.post(api(run), json=EMBEDDER)
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["model"]) == ("running", "qwen3-embedding")
    assert client.post(api(run), json=EMBEDDER).json() == answer.json(), "asked for twice it is done once"
    assert client.get(api(run)).json() == answer.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "embedder"),
        ({"embedder": {"engine": "procedural"}}, "embedder.engine"),
        ({"embedder": {"engine": "openai", "options": {"model": "m"}}}, "embedder.options.base_url"),
        ({"embedder": {"engine": "openai", "options": OPTIONS | {"temperature": 1}}}, "embedder.options.temperature"),
    ],
)
def test_settings_that_are_wrong_name_their_field(
    client: Visitor, run: Run, body: dict[str, object], field: str
) -> None:
    answer = client.post(api(run), json=body)
    assert answer.status_code == 422
    assert field in answer.text


def test_a_run_without_valid_variants_has_nothing_to_embed(page: Visitor, client: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        empty = builders.run(session, ada)
    assert "By embeddings" not in page.get(diversity(empty)).text
    answer = client.post(api(empty), json=EMBEDDER)
    assert answer.status_code == 409
    assert "no valid variant to embed" in answer.text


def test_viewers_look_and_do_not_ask(
    application: FastAPI, signed_in: Callable[[Actor], Visitor], ada: Actor, run: Run
) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vi", Role.VIEWER)
        token = accounts.create_api_token(session, ada, "reader", "read", 1)
    browser = signed_in(viewer)
    text = browser.get(diversity(run)).text
    assert "a member of the workspace can" in text
    assert 'name="embedder' not in text
    assert browser.submit(diversity(run), TYPED).status_code == 403
    assert browser.submit(f"{diversity(run)}/pause", {}).status_code == 403
    reader = Visitor(application, token)
    assert reader.get(api(run)).status_code == 200
    assert reader.post(api(run), json=EMBEDDER).status_code == 403
    assert Visitor(application).post(api(run), json=EMBEDDER).status_code == 401


def test_another_workspace_knows_of_nothing(page: Visitor, client: Visitor) -> None:
    with unit_of_work() as session:
        strange = builders.grown_run(session, builders.owner(session, "Eve"), chains=1, attempts=False)
    assert client.get(api(strange)).status_code == 404
    assert client.post(api(strange), json=EMBEDDER).status_code == 404
    assert page.submit(diversity(strange), TYPED).status_code == 404
    assert client.post(f"{api(strange)}/pause").status_code == 404
    with unit_of_work() as session:
        assert session.get(RunEmbedding, strange.id) is None
