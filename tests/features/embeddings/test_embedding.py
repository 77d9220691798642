"""Embedding a run: what is sent and kept, that nothing is sent twice, and that trouble is never counted."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections import Counter

import pytest

from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.domain.embeddings import pack, text_of
from app.domain.problem_codec import decode_problem
from app.errors import Conflict, EngineError, Forbidden, InvalidForm, LeaseLost, NotFound
from app.features.embeddings import lane, ledger, queries, service
from app.features.embeddings.ledger import Claim
from app.features.embeddings.schemas import parse
from app.features.runs import driving, reconcile, waiting
from app.features.runs.claims import QUARANTINE
from app.models import AuditEvent, Embedding, RunEmbedding, Variant
from tests.features.embeddings.conftest import BATCH, VALID, ask, drive, look
from tests.support import builders
from tests.support.model_server import ModelServer
from tests.support.vectors import vector_of


def texts_of(run_id: int) -> dict[int, str]:
    with unit_of_work() as session:
        rows = session.query(Variant).where(Variant.run_id == run_id, Variant.problem.is_not(None))
        return {row.id: text_of(decode_problem(row.problem or "")) for row in rows}


def kept() -> dict[int, bytes | None]:
    with unit_of_work() as session:
        return {row.variant_id: row.vector for row in session.query(Embedding)}


def asked_for(server: ModelServer) -> Counter[str]:
    return Counter(text for body in server.requests for text in body["input"])


def claim(run_id: int, owner: str = "a lane") -> Claim | None:
    with unit_of_work() as session:
        return ledger.claim(session, run_id, owner)


def expire(run_id: int) -> None:
    with unit_of_work() as session:
        session.get_one(RunEmbedding, run_id).lease_expires_at = builders.datetime.now(builders.UTC)


async def test_every_valid_variant_is_sent_once_and_kept_at_length_one(
    ada: Actor, run: int, server: ModelServer
) -> None:
    begun = ask(ada, run, server)
    assert (begun.state, begun.valid, begun.embedded, begun.left, begun.model) == ("running", VALID, 0, VALID, "small")
    done = await drive(ada, run)
    assert (done.state, done.embedded, done.left, done.too_long, done.error) == ("done", VALID, 0, 0, "")
    assert kept() == {variant_id: pack(vector_of(text)) for variant_id, text in texts_of(run).items()}
    assert asked_for(server) == Counter(texts_of(run).values())
    assert {len(body["input"]) for body in server.requests} <= {BATCH, VALID % BATCH}


async def test_figures_of_both_arms_are_there_when_it_is_done(ada: Actor, run: int, server: ModelServer) -> None:
    ask(ada, run, server)
    done = await drive(ada, run)
    whole = {spread.arm: spread for spread in done.spreads if not spread.environment}
    assert (whole["main"].n, whole["baseline"].n) == (20, 8)
    parts = [spread for spread in done.spreads if spread.arm == "main" and spread.environment]
    assert [part.environment for part in parts] == sorted(builders.ENVIRONMENTS)
    assert sum(part.n for part in parts) == 20
    # One chain in each environment: no two variants are of different trees of one environment.
    assert all(not spread.pairs for spread in done.spreads)


async def test_closest_pairs_lead_to_other_trees_of_the_environment(ada: Actor, server: ModelServer) -> None:
    with unit_of_work() as session:
        made = builders.run(session, ada)
        problem = builders.MERGE.problem("deduction", 0)
        first, second, third = (
            builders.variant(session, builders.chain(session, made, position, environment), problem)
            for position, environment in enumerate(["deduction", "deduction", "abduction"])
        )
        same_tree = builders.variant(session, session.get_one(builders.Chain, first.chain_id), problem, turn=2)
        ids = first.id, second.id, third.id, same_tree.id
    ask(ada, made.id, server)
    [whole, abduction, deduction] = (await drive(ada, made.id)).spreads
    assert whole.pairs == deduction.pairs
    assert [(pair.first, pair.second) for pair in whole.pairs] == [(ids[0], ids[1]), (ids[3], ids[1])]
    assert [pair.cosine for pair in whole.pairs] == pytest.approx([1.0, 1.0])
    assert (abduction.n, abduction.mean_distance, list(abduction.pairs)) == (1, None, [])
    assert (deduction.n, deduction.clusters) == (3, 1)
    assert deduction.mean_distance == pytest.approx(0, abs=1e-6)


async def test_what_people_asked_for_is_embedded_and_left_out_of_the_figures(
    ada: Actor, run: int, server: ModelServer
) -> None:
    with unit_of_work() as session:
        origin = session.get_one(Variant, min(texts_of(run)))
        builders.growth(session, ada, origin)
        more = session.query(Variant).where(Variant.growth_id.is_not(None)).count()
    ask(ada, run, server)
    done = await drive(ada, run)
    assert done.embedded == VALID + more > VALID
    assert sum(spread.n for spread in done.spreads if not spread.environment) == VALID


async def test_a_lane_that_is_killed_in_the_middle_is_taken_over_and_nothing_is_sent_twice(
    ada: Actor, run: int, server: ModelServer
) -> None:
    ask(ada, run, server)
    killed = claim(run)
    assert killed is not None
    with unit_of_work() as session:
        batch = queries.texts(session, queries.missing(session, run, killed.profile_id)[:11])
        ledger.save(session, killed, {variant_id: vector_of(text) for variant_id, text in batch.items()})
    assert look(ada, run).embedded == 11
    assert claim(run, "another") is None, "somebody drives it"
    expire(run)
    done = await drive(ada, run)
    assert (done.state, done.embedded) == ("done", VALID)
    assert asked_for(server) == Counter(texts_of(run).values()) - Counter(batch.values())
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.save(session, killed, {min(batch): vector_of("late")})
    assert kept()[min(batch)] == pack(vector_of(batch[min(batch)]))


async def test_a_process_that_is_killed_costs_the_requests_under_way_alone(
    ada: Actor, run: int, server: ModelServer
) -> None:
    ask(ada, run, server, texts_per_request=1)
    code = f"from app.features.embeddings import lane; lane.drive({run}, lambda: False)"
    lane_process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)

    def kill_at_the_twentieth(_: object) -> bool:
        if len(server.requests) == 20:
            lane_process.kill()
        return True

    server.spares = kill_at_the_twentieth
    assert await lane_process.wait() == -signal.SIGKILL
    before = kept()
    assert VALID > len(before) >= 20 - 8, "the rest was under way"
    expire(run)
    assert (await drive(ada, run)).state == "done"
    texts = texts_of(run)
    again = Counter(texts.values()) + Counter(text for each, text in texts.items() if each not in before)
    assert asked_for(server) <= again, "nothing that was kept is sent again"
    assert len(kept()) == VALID


async def test_requests_do_not_wait_for_one_another(
    ada: Actor, run: int, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_GRACE_S", 0)
    server.faults.append("stall")
    ask(ada, run, server)

    def the_others_are_done() -> bool:
        return look(ada, run).left == BATCH

    assert not await asyncio.to_thread(lane.drive, run, the_others_are_done)
    assert (await drive(ada, run)).state == "done"


async def test_a_lane_gives_way_after_its_slice(
    ada: Actor, run: int, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "lane_slice_s", 0)
    with unit_of_work() as session:
        other = builders.grown_run(session, ada, chains=1, attempts=False).id
    ask(ada, other, server)
    ask(ada, run, server)
    # It looks around at its own pace, and may be done before it sees that somebody waits.
    while await asyncio.to_thread(lane.drive, run, lambda: False):
        pass
    assert look(ada, run).state == "done"
    await drive(ada, other)
    assert asked_for(server) == Counter([*texts_of(run).values(), *texts_of(other).values()])


async def test_a_worker_that_ends_leaves_the_rest_to_the_next(
    ada: Actor, run: int, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_GRACE_S", 3600)  # the request under way comes to its end
    ask(ada, run, server, texts_per_request=1)
    asked = threading.Event()

    def spares(_: object) -> bool:
        asked.set()
        return True

    server.spares = spares
    assert not await asyncio.to_thread(lane.drive, run, asked.is_set), "its message comes again by itself"
    assert sum(asked_for(server).values()) == look(ada, run).embedded > 0
    done = await drive(ada, run)
    assert (done.state, done.embedded) == ("done", VALID)
    assert asked_for(server) == Counter(texts_of(run).values())


def embeddings_waiting() -> list[int]:
    with unit_of_work() as session:
        return waiting.embeddings(session)


async def test_lost_messages_are_made_up_for(ada: Actor, run: int, server: ModelServer) -> None:
    ask(ada, run, server)
    assert embeddings_waiting() == [run]
    with unit_of_work() as session:
        assert waiting.others(session, run)
    reconcile.reconcile()
    await drive(ada, run)
    assert embeddings_waiting() == []
    assert await asyncio.to_thread(lane.drive, run, lambda: False) is False, "a doubled message does nothing"


async def test_passing_trouble_changes_nothing(ada: Actor, run: int, server: ModelServer) -> None:
    server.faults.extend(["crash", "limited", "hang_up", "nonsense"])
    ask(ada, run, server)
    done = await drive(ada, run)
    assert (done.state, done.embedded, done.error) == ("done", VALID, "")
    assert kept() == {variant_id: pack(vector_of(text)) for variant_id, text in texts_of(run).items()}


@pytest.mark.parametrize(
    ("fault", "says"), [("unauthorised", "asks for a key"), ("wrong_model", "'another-model'"), ("crash", "500")]
)
async def test_trouble_that_stays_pauses_and_says_why(
    ada: Actor, run: int, server: ModelServer, monkeypatch: pytest.MonkeyPatch, fault: str, says: str
) -> None:
    monkeypatch.setattr(settings(), "retry_for_s", 0)
    ask(ada, run, server)
    server.failing = fault
    paused = await drive(ada, run)
    assert (paused.state, paused.embedded, paused.too_long) == ("paused", 0, 0)
    assert says in paused.error
    assert embeddings_waiting() == []
    server.failing = ""
    assert ask(ada, run, server).error == ""
    assert (await drive(ada, run)).state == "done"


async def test_what_kills_its_worker_again_and_again_pauses(ada: Actor, run: int, server: ModelServer) -> None:
    ask(ada, run, server)
    for _ in range(QUARANTINE):
        assert claim(run) is not None
        expire(run)
    assert claim(run) is None
    paused = look(ada, run)
    assert (paused.state, "died 12 times" in paused.error) == ("paused", True)
    assert embeddings_waiting() == []
    ask(ada, run, server)
    for _ in range(QUARANTINE - 1):
        assert claim(run) is not None
        expire(run)
    # What embeds something on its way is none that kills its worker.
    held = claim(run)
    assert held is not None
    with unit_of_work() as session:
        ledger.save(session, held, {})  # all of a batch turned out invalid meanwhile
        ledger.save(session, held, {min(texts_of(run)): [1.0] * 32})
    expire(run)
    assert (await drive(ada, run)).state == "done"


async def test_a_person_pauses_it_and_goes_on(ada: Actor, run: int, server: ModelServer) -> None:
    ask(ada, run, server)
    held = claim(run)
    assert held is not None
    with unit_of_work() as session:
        ledger.tell(session, held, "The queue is full.")
        paused = service.pause(session, ada, run)
    assert (paused.state, paused.error) == ("paused", "")
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.renew(session, held)
    assert embeddings_waiting() == []
    with unit_of_work() as session, pytest.raises(Conflict, match="by now"):
        service.pause(session, ada, run)
    ask(ada, run, server)
    assert (await drive(ada, run)).state == "done"


async def test_a_lane_ends_soon_when_somebody_pauses(
    ada: Actor, run: int, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_NOTICE_S", 0)
    server.failing = "stall"
    ask(ada, run, server)

    def pause_at_the_first(_: object) -> bool:
        if len(server.requests) == 1:
            with unit_of_work() as session:
                service.pause(session, ada, run)
        return False

    server.spares = pause_at_the_first
    paused = await asyncio.wait_for(drive(ada, run), 60)
    assert (paused.state, paused.embedded, paused.error) == ("paused", 0, "")


async def test_a_text_that_is_too_long_is_set_aside_alone(ada: Actor, run: int, server: ModelServer) -> None:
    texts = texts_of(run)
    long = sorted(texts)[3]
    server.failing = "overflow"
    server.spares = lambda body: texts[long] not in body["input"]
    ask(ada, run, server)
    done = await drive(ada, run)
    alike = [variant_id for variant_id, text in texts.items() if text == texts[long]]
    assert (done.state, done.too_long, done.embedded) == ("done", len(alike), VALID - len(alike))
    assert sorted(variant_id for variant_id, vector in kept().items() if vector is None) == alike


async def test_vectors_of_another_length_are_another_model(ada: Actor, run: int, server: ModelServer) -> None:
    ask(ada, run, server)
    held = claim(run)
    assert held is not None
    with unit_of_work() as session:
        first, second, *_ = queries.missing(session, run, held.profile_id)
        ledger.save(session, held, {first: [1.0, 2.0, 3.0]})
    with unit_of_work() as session, pytest.raises(EngineError, match="have 2 numbers, and had 3 before"):
        ledger.save(session, held, {second: [1.0, 2.0]})
    expire(run)
    assert (await drive(ada, run)).state == "paused"


async def test_another_model_takes_the_place_of_the_one_before(ada: Actor, run: int, server: ModelServer) -> None:
    ask(ada, run, server)
    held = claim(run)
    assert held is not None
    ask(ada, run, server)
    with unit_of_work() as session:
        ledger.renew(session, held)  # the same again: it is under way
    ask(ada, run, server, model="large")
    with unit_of_work() as session, pytest.raises(LeaseLost):
        ledger.renew(session, held)
    assert (await drive(ada, run)).model == "large"
    count = len(server.requests)
    ask(ada, run, server, model="small")
    await drive(ada, run)
    ask(ada, run, server, model="large")
    assert (await drive(ada, run)).state == "done"
    assert len(server.requests) == 2 * count, "what a model has embedded stays"


async def test_who_may_ask_and_for_what(ada: Actor, run: int, server: ModelServer) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vi", Role.VIEWER)
        eve = builders.owner(session, "Eve")
        empty = builders.run(session, ada).id
    with pytest.raises(Forbidden):
        ask(viewer, run, server)
    with pytest.raises(NotFound, match=f"no run {run}"):
        ask(eve, run, server)
    with unit_of_work() as session, pytest.raises(NotFound):
        service.embeddings(session, eve, run)
    with pytest.raises(Conflict, match="no valid variant"):
        ask(ada, empty, server)
    for actor, refusal in ((viewer, Forbidden), (eve, NotFound), (ada, Conflict)):
        with unit_of_work() as session, pytest.raises(refusal):
            service.pause(session, actor, run)
    ask(ada, run, server)
    ask(ada, run, server)
    with unit_of_work() as session:
        events = [(event.action, event.detail) for event in session.query(AuditEvent)]
    assert events == [("run.embedding_started", {"model": "small"})]


@pytest.mark.parametrize(
    ("choice", "field", "says"),
    [
        ({}, "embedder.engine", "has no embedder. Choose one of: openai."),
        ({"engine": "tarot"}, "embedder.engine", "no engine 'tarot'"),
        ({"engine": "openai", "options": {"model": "m"}}, "embedder.options.base_url", "required"),
        (
            {"engine": "openai", "options": {"base_url": "http://169.254.169.254/v1", "model": "m"}},
            "embedder.options.base_url",
            "metadata address",
        ),
        ({"engine": "openai", "profile": "gpt-oss-120b"}, "embedder.profile", "no profile 'gpt-oss-120b'"),
    ],
)
def test_settings_that_are_wrong(choice: dict[str, object], field: str, says: str) -> None:
    with pytest.raises(InvalidForm) as raised:
        parse({"embedder": choice})
    assert says in raised.value.errors[field]
