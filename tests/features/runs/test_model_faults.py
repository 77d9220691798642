"""Whole runs through an OpenAI-compatible server: trouble that passes changes no result, trouble that stays pauses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiohttp import web
from anyio.from_thread import BlockingPortal
from sqlalchemy import func, select

from app import prompts
from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.runs import service
from app.models import Attempt, Chain, Event, Incident, LaneSlot, Measurement, Run, Variant
from tests.support import refining
from tests.support.model_server import PASSING, Body, Model, ModelServer, is_teachers, procedural, saying, serve
from tests.support.ports import own_port

pytestmark = pytest.mark.usefixtures("database", "broker", "quick")

# The teacher's part of it is a valid problem; a student who says it is wrong. It costs no time.
EXAMPLE = prompts.example_reply("deduction")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane, frequent looks at pause and cancel, short pauses between tries."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)
    monkeypatch.setattr(settings(), "retry_pause_s", 0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries, then the run pauses."""
    monkeypatch.setattr(settings(), "retry_for_s", 0.0)


@pytest.fixture(scope="module")
def thinker(portal: BlockingPortal) -> Iterator[Model]:
    with portal.wrap_async_context_manager(procedural()) as model:
        yield model


@pytest.fixture
def server(portal: BlockingPortal) -> Iterator[ModelServer]:
    with portal.wrap_async_context_manager(serve(saying(EXAMPLE))) as running:
        yield running


def start(actor: Actor, url: str, **config: object) -> int:
    """A small run whose teacher and student are behind one server."""
    model = {
        "engine": "openai",
        "options": {"base_url": url, "model": "a-model", "timeout_s": config.pop("timeout_s", 600)},
    }
    return refining.start(actor, **{"teacher": model, "student": model, "environments": ["deduction"]} | config)


def resume(actor: Actor, run_id: int) -> None:
    with unit_of_work() as session:
        service.resume(session, actor, run_id)


def count(table: type) -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def told(run_id: int) -> list[tuple[str, str]]:
    """(stage, kind) of every incident."""
    with unit_of_work() as session:
        rows = session.execute(select(Incident.stage, Incident.kind).where(Incident.run_id == run_id))
        return [(stage, kind) for stage, kind in rows]


# --- trouble that passes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["chat", "plain"])
def test_passing_trouble_changes_no_result(thinker: Model, server: ModelServer, prompt: str) -> None:
    """The server answers by prompt and seed alone; every other request fails at first, in every way in turn."""
    server.model = thinker
    actor = refining.owner_with_seeds(1)
    config: dict[str, object] = {
        "environments": ["induction", "deduction", "abduction", "fuzzing"],
        "attempts": 4,
        "teacher": {"engine": "openai", "options": {"base_url": server.url, "model": "large"}},
        "student": {"engine": "openai", "options": {"base_url": server.url, "model": "small", "prompt": prompt}},
    }
    whole = refining.start(actor, **config)
    refining.drive(whole)
    expected = refining.check(whole)
    assert (expected.state, expected.problems, expected.variants) == ("finished", (), 12)
    assert refining.summary(whole).main.valid > 0
    assert refining.summary(whole).main.teacher_tokens > 0
    assert {"prompt" in body for body in server.requests if body["model"] == "small"} == {prompt == "plain"}
    assert told(whole) == []

    server.every = 2  # 12 proposals and a few problems to solve meet each of the 8 kinds at least once
    broken = refining.start(actor, **config)
    refining.drive(broken)
    report = refining.check(broken)
    assert set(server.met) == set(PASSING)
    assert (report.state, report.problems) == ("finished", ())
    assert report.digest == expected.digest
    assert refining.summary(broken).main.errors == 0
    assert {stage for stage, _ in told(broken)} == {"teacher", "student"}


def test_reasoning_is_kept_beside_the_reply_and_changes_nothing(server: ModelServer) -> None:
    actor = refining.owner_with_seeds(1)
    digests = []
    for server.thinking in (False, True):
        run_id = start(actor, server.url)
        refining.drive(run_id)
        digests.append(refining.check(run_id).digest)
    assert digests[0] == digests[1]
    with unit_of_work() as session:
        assert session.scalars(select(Attempt.reasoning).distinct().order_by(Attempt.reasoning)).all() == [
            "",
            "Let me think.",
        ]


def test_while_a_server_is_down_incidents_do_not_pile_up(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings(), "retry_pause_s", 0.001)
    monkeypatch.setattr(settings(), "retry_for_s", 1.0)
    server.failing = "overloaded"
    run_id = start(refining.owner_with_seeds(2), server.url)
    refining.drive(run_id)
    assert refining.state(run_id) == "paused"
    assert len(server.requests) > 6
    # One for each of the two chains, and one of the pause.
    assert told(run_id) == [("teacher", "overloaded")] * 3


# --- trouble that stays ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("role", ["teacher", "student"])
@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ("overloaded", "overloaded", "503: .*queue is full.* resume when it answers again"),
        ("unauthorised", "unauthorised", "asks for a key.* Set CAIRN_MODEL_KEY"),
        ("wrong_model", "wrong_model", "answered as 'another-model' when 'a-model' was asked.* `answers_as`"),
        ("unknown_model", "not_found", "does not exist.* Check base_url and model"),
        ("nonsense", "nonsense", "It works.* Check that base_url ends"),
        ("stall", "stalled", "No whole answer .* within 2 s.* timeout_s"),
    ],
)
def test_a_run_pauses_says_why_and_goes_on_where_it_was(
    server: ModelServer, role: str, fault: str, kind: str, says: str
) -> None:
    actor = refining.owner_with_seeds(1)
    whole = start(actor, server.url, timeout_s=2)
    refining.drive(whole)
    server.failing = fault
    server.spares = is_teachers if role == "student" else lambda body: not is_teachers(body)
    attempts, measurements = count(Attempt), count(Measurement)

    run_id = start(actor, server.url, timeout_s=2)
    assert refining.drive(run_id) is False
    assert refining.state(run_id) == "paused"
    error = refining.summary(run_id).error
    assert error.startswith(f"{role}: ")
    assert re.search(says, error)
    assert set(told(run_id)) == {(role, kind)}
    assert (count(Attempt), count(Measurement)) == (attempts, measurements)
    with unit_of_work() as session:
        stages = session.scalars(select(Variant.stage).where(Variant.run_id == run_id)).all()
    assert stages == (["checked"] if role == "student" else [])
    assert refining.check(run_id).problems == ()

    server.failing = ""
    resume(actor, run_id)
    assert refining.summary(run_id).error == ""
    refining.drive(run_id)
    report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    assert report.digest == refining.check(whole).digest


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there_yet(portal: BlockingPortal) -> None:
    port = own_port()
    actor = refining.owner_with_seeds(1)
    run_id = start(actor, f"http://127.0.0.1:{port}/v1")
    refining.drive(run_id)
    summary = refining.summary(run_id)
    assert summary.state == "paused"
    assert f"http://127.0.0.1:{port}/v1/chat/completions can't be reached" in summary.error
    assert "Start the model server and resume" in summary.error
    assert count(Variant) == 0
    with portal.wrap_async_context_manager(serve(saying(EXAMPLE), port=port)):
        resume(actor, run_id)
        refining.drive(run_id)
    assert refining.check(run_id).problems == ()
    assert refining.state(run_id) == "finished"


def test_a_key_that_cannot_be_sent_pauses_the_run_without_showing_it(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIRN_MODEL_KEY", "sk-canary\nX-Evil: 1")
    actor = refining.owner_with_seeds(1)
    run_id = start(actor, server.url)
    refining.drive(run_id)
    summary = refining.summary(run_id)
    assert (summary.state, told(run_id)) == ("paused", [("lane", "unauthorised")])
    assert "CAIRN_MODEL_KEY" in summary.error
    assert "canary" not in summary.error
    monkeypatch.setenv("CAIRN_MODEL_KEY", "sk-canary")
    resume(actor, run_id)
    refining.drive(run_id)
    assert refining.state(run_id) == "finished"


def test_a_run_whose_server_is_no_longer_allowed_pauses_and_says_so(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = refining.owner_with_seeds(1)
    run_id = start(actor, server.url)
    monkeypatch.setattr(settings(), "model_hosts", "gpu-1")
    refining.drive(run_id)
    summary = refining.summary(run_id)
    assert summary.state == "paused"
    assert "CAIRN_MODEL_HOSTS lists: gpu-1" in summary.error
    assert server.requests == []
    monkeypatch.setattr(settings(), "model_hosts", "127.0.0.1")
    resume(actor, run_id)
    refining.drive(run_id)
    assert refining.state(run_id) == "finished"


# --- what one chain meets ----------------------------------------------------------------------------------------


def told_of(body: Body) -> int:
    """Of how many earlier proposals a teacher is told."""
    return sum(message["role"] == "assistant" for message in body["messages"])


async def different(body: Body) -> list[str]:
    """A problem that differs with the seed, and as the student's answer a wrong one."""
    return [EXAMPLE.replace("def f(", f"THIS = {body['seed']}\n\n\ndef f(")] * int(body["n"])


def test_a_conversation_that_outgrows_the_teachers_context_ends_its_chain(server: ModelServer) -> None:
    server.failing = "overflow"
    server.spares = lambda body: not is_teachers(body) or told_of(body) < 2
    run_id = start(refining.owner_with_seeds(2), server.url, turns=5)
    refining.drive(run_id)
    report = refining.check(run_id)
    assert (report.state, report.problems, report.variants) == ("finished", (), 2 * 2)
    with unit_of_work() as session:
        ends = session.execute(select(Chain.state, Chain.stop_reason, Chain.next_turn)).all()
    assert [tuple(end) for end in ends] == [("finished", "context_overflow", 3)] * 2
    assert told(run_id) == [("teacher", "context_overflow")] * 2


def test_a_branch_that_overflows_leaves_the_others_their_turn(server: ModelServer) -> None:
    overflowing: list[int] = []

    def spares(body: Body) -> bool:
        """All but one branch of turn 2."""
        if is_teachers(body) and told_of(body) == 2 and not overflowing:
            overflowing.append(body["seed"])
        return not is_teachers(body) or body["seed"] not in overflowing

    server.model, server.failing, server.spares = different, "overflow", spares
    run_id = start(refining.owner_with_seeds(1), server.url, branching=2)
    refining.drive(run_id)
    report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    with unit_of_work() as session:
        assert session.execute(select(Chain.stop_reason)).scalar_one() == "context_overflow"
        grown = session.execute(select(Variant.turn, Variant.stage).order_by(Variant.path)).all()
    assert sorted(map(tuple, grown)) == [(1, "done"), (1, "done"), (2, "done")]
    assert told(run_id) == [("teacher", "context_overflow")]


def test_a_problem_that_outgrows_the_students_context_is_to_be_shortened(server: ModelServer) -> None:
    server.failing = "overflow"
    server.spares = is_teachers
    run_id = start(refining.owner_with_seeds(1), server.url)
    refining.drive(run_id)
    report = refining.check(run_id)
    assert (report.state, report.problems, report.attempts) == ("finished", (), 0)
    with unit_of_work() as session:
        variants = session.execute(select(Variant).order_by(Variant.turn)).scalars().all()
        first, second, _ = [(variant.direction, variant.invalid_code) for variant in variants]
    assert first == ("first", "too_long")
    assert second[0] == "repair"
    repair = [body for body in server.requests if is_teachers(body)][1]
    assert "does not fit into the solver's context" in repair["messages"][-1]["content"]
    assert ("student", "context_overflow") in told(run_id)


@pytest.mark.parametrize(
    ("text", "fault", "code"),
    [
        ("I would rather talk about the weather.", "", "missing_block"),
        ("", "", "missing_block"),
        ("```python\ndef f(:\n```\n```input\n1\n```", "", "syntax_error"),
        ("```python\ndef f(x):\n    return x\n", "cut", "reply_cut"),
    ],
)
def test_a_teacher_that_writes_no_problem_is_asked_to_repair(
    server: ModelServer, text: str, fault: str, code: str
) -> None:
    server.model, server.failing = saying(text), fault
    run_id = start(refining.owner_with_seeds(1), server.url)
    refining.drive(run_id)
    report = refining.check(run_id)
    assert (report.state, report.problems, report.variants, report.attempts) == ("finished", (), 3, 0)
    assert refining.summary(run_id).main.invalid == {code: 3}
    with unit_of_work() as session:
        assert session.scalars(select(Variant.direction).order_by(Variant.turn)).all() == ["first", "repair", "repair"]
    assert f"invalid ({code})" in server.requests[-1]["messages"][-1]["content"]
    assert told(run_id) == []


# --- lanes and branches at the same time -------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_two_lanes_that_meet_the_trouble_at_once_pause_the_run_once(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings(), "worker_processes", 2)
    monkeypatch.setattr(settings(), "lane_chains", 2)
    actor = refining.owner_with_seeds(4)
    server.failing = "crash"
    run_id = start(actor, server.url)
    with ThreadPoolExecutor(2) as lanes:
        assert list(lanes.map(refining.drive, [run_id, run_id])) == [False, False]
    with unit_of_work() as session:
        run = session.execute(select(Run)).scalar_one()
        messages = session.scalars(select(Incident.message)).all()
        paused = session.scalar(select(func.count()).select_from(Event).where(Event.kind == "paused"))
        held = session.scalar(select(func.count()).select_from(LaneSlot).where(LaneSlot.owner.is_not(None)))
    assert (run.state, paused, held) == ("paused", 1, 0)
    assert run.error in {f"teacher: {message}" for message in messages}
    assert len(messages) <= 4 + 2
    server.failing = ""
    resume(actor, run_id)
    refining.drive(run_id)
    assert refining.check(run_id).problems == ()
    assert refining.state(run_id) == "finished"


@pytest.mark.usefixtures("impatient")
def test_a_request_under_way_is_kept_when_another_branch_fails(server: ModelServer) -> None:
    actor = refining.owner_with_seeds(1)
    both_wait, failed = asyncio.Event(), asyncio.Event()

    async def answer(body: Body) -> list[str]:
        """Two different problems; then a student who fails at one while it still thinks about the other."""
        if is_teachers(body):
            return await different(body)
        if not failed.is_set():
            if sum(not is_teachers(request) for request in server.requests) < 2:
                await both_wait.wait()
                failed.set()
                raise web.HTTPUnauthorized
            both_wait.set()
            await failed.wait()
        return await different(body)

    server.model = answer
    run_id = start(actor, server.url, branching=2, turns=1)
    refining.drive(run_id)
    assert refining.state(run_id) == "paused"
    assert len(server.requests) == 4
    with unit_of_work() as session:
        stages = session.scalars(select(Variant.stage).order_by(Variant.stage)).all()
    assert stages[0] in ("attempted", "done")
    assert stages[1] == "checked"
    resume(actor, run_id)
    refining.drive(run_id)
    assert refining.check(run_id).problems == ()
    assert refining.state(run_id) == "finished"
    assert len(server.requests) == 5, "only the failed request was made again"


def pause(actor: Actor, run_id: int) -> None:
    with unit_of_work() as session:
        service.pause(session, actor, run_id)


def cancel(actor: Actor, run_id: int) -> None:
    with unit_of_work() as session:
        service.cancel(session, actor, run_id)


@pytest.mark.parametrize(("act", "state"), [(pause, "paused"), (cancel, "cancelled")])
def test_pause_and_cancel_do_not_wait_for_a_stalled_request(
    server: ModelServer, act: Callable[[Actor, int], None], state: str
) -> None:
    """Requests may take ten minutes; the lane ends within seconds."""
    actor = refining.owner_with_seeds(1)
    server.failing = "stall"
    run_id = start(actor, server.url)
    with ThreadPoolExecutor(1) as lane:
        driving = lane.submit(refining.drive, run_id)
        refining.wait_until(lambda: bool(server.requests), "a request")
        act(actor, run_id)
        assert driving.result(timeout=60) is False
    summary = refining.summary(run_id)
    assert (summary.state, summary.error, summary.lanes) == (state, "", 0)
    assert told(run_id) == []
    assert count(Variant) == 0
    assert refining.check(run_id).problems == ()


def test_a_lane_that_is_told_to_stop_leaves_a_failing_server_alone(server: ModelServer) -> None:
    server.failing = "overloaded"
    run_id = start(refining.owner_with_seeds(1), server.url)
    refining.drive(run_id, lambda: len(server.requests) > 2)
    assert refining.state(run_id) == "running"
    server.failing = ""
    refining.drive(run_id)
    assert refining.check(run_id).problems == ()
    assert refining.state(run_id) == "finished"
