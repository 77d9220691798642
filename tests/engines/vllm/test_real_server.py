"""Whole runs against a real vLLM on the CPU, with a tiny model of random weights in all roles (`make test-vllm`).

`CAIRN_TEST_VLLM` names the interpreter that has vLLM. What the model says is noise: nearly every proposal is invalid,
and that is fine. Here it counts that everything that vLLM does is understood.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.config import settings
from app.db import unit_of_work
from app.domain.ports import EngineContext, Metered
from app.domain.problem import Message
from app.engines.vllm import VLLMEngine
from app.errors import EngineError
from app.isolation import open_sandbox
from app.models import Incident, Variant
from tests.support import refining
from tests.support.asking import ATTEMPT, embed, proposal
from tests.support.ports import own_port

pytestmark = pytest.mark.slow
PYTHON = os.environ.get("CAIRN_TEST_VLLM", "")
MODEL_MAKER = Path(__file__).parents[2] / "support" / "tiny_model.py"
CONTEXT = EngineContext(open_sandbox)
ENGINE = VLLMEngine()
_READY_S = 300.0


class Server:
    """`vllm serve` in a process group of its own, on a port that stays."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self._port = own_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", str(self._folder)]
        command += ["--served-model-name", "teacher", "student", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--enforce-eager", *self._flags]
        variables = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "120", "VLLM_NO_USAGE_STATS": "1"}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | variables, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _READY_S
        while not self._healthy():
            if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                tail = (self._folder / "server.log").read_text("utf-8", "replace")[-3000:]
                raise AssertionError(f"vLLM did not start:\n{tail}")
            time.sleep(0.5)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _healthy(self) -> bool:
        try:
            health = self.url.replace("/v1", "/health")
            with urllib.request.urlopen(health, timeout=2) as answer:  # noqa: S310
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PYTHON:
        pytest.fail("CAIRN_TEST_VLLM must name an interpreter that has vLLM; `make test-vllm` sets one up.")
    folder = tmp_path_factory.mktemp("model")
    subprocess.run([PYTHON, MODEL_MAKER, folder], check=True, capture_output=True)
    return folder


@contextmanager
def _serving(running: Server) -> Iterator[Server]:
    running.start()
    try:
        running.wait_until_healthy()
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Server]:
    # A small batch would chunk the prefill, and a seed then ends the CPU engine.
    flags = ["--max-model-len", "16384", "--max-num-seqs", "64", "--max-num-batched-tokens", "65536"]
    with _serving(Server(model, *flags, "--reasoning-parser", "qwen3")) as running:
        yield running


def _options(server: Server, **more: object) -> dict[str, object]:
    # A server with several names answers with the first.
    return {
        "base_urls": server.url,
        "model": "student",
        "answers_as": "teacher",
        "max_tokens": 24,
        "timeout_s": 300,
    } | more


async def test_thirty_two_samples_come_in_one_request_and_are_the_same_when_asked_again(server: Server) -> None:
    options = ENGINE.StudentOptions.model_validate(_options(server))
    async with ENGINE.student(options, CONTEXT) as student:
        first = await student.attempt(replace(ATTEMPT, n=32))
        again = await student.attempt(replace(ATTEMPT, n=32))
        other = await student.attempt(replace(ATTEMPT, n=32, rng=8))
    texts = [reply.text + reply.reasoning for reply in first]
    assert len(first) == 32
    assert len(set(texts)) > 16, "each sample has a seed of its own"
    assert texts == [reply.text + reply.reasoning for reply in again]
    assert texts != [reply.text + reply.reasoning for reply in other]
    assert first[0].prompt_tokens > 0
    assert sum(reply.completion_tokens for reply in first) > 32
    assert {reply.finish_reason for reply in first} <= {"length", "stop"}


async def test_a_thought_that_is_cut_is_reasoning_without_an_answer(server: Server) -> None:
    options = ENGINE.StudentOptions.model_validate(_options(server, max_tokens=8))
    async with ENGINE.student(options, CONTEXT) as student:
        replies = await student.attempt(ATTEMPT)
    cut = [reply for reply in replies if reply.finish_reason == "length"]
    assert cut
    assert any(reply.reasoning and not reply.text for reply in cut)


async def test_plain_prompts_are_continued(server: Server) -> None:
    options = ENGINE.StudentOptions.model_validate(_options(server, prompt="plain"))
    async with ENGINE.student(options, CONTEXT) as student:
        replies = await student.attempt(ATTEMPT)
    assert len(replies) == ATTEMPT.n
    assert all(reply.reasoning == "" or reply.text for reply in replies)


async def test_a_prompt_that_does_not_fit_is_told_apart(server: Server) -> None:
    options = ENGINE.TeacherOptions.model_validate(_options(server, model="teacher"))
    long = replace(proposal(), messages=(Message("user", "many words " * 20_000),))
    async with ENGINE.teacher(options, CONTEXT) as teacher:
        with pytest.raises(EngineError) as raised:
            await teacher.propose(long)
    assert raised.value.kind == "context_overflow"


async def test_the_metrics_tell_what_is_under_way(server: Server) -> None:
    options = ENGINE.StudentOptions.model_validate(_options(server, max_tokens=512))
    async with ENGINE.student(options, CONTEXT) as student:
        assert isinstance(student, Metered)
        asked = asyncio.gather(*(student.attempt(replace(ATTEMPT, n=32, rng=rng)) for rng in range(6)))
        seen = []
        while not asked.done():
            load = await student.load()
            if load is not None:
                seen.append(load)
            await asyncio.sleep(0.05)
        await asked
    assert max(load.running for load in seen) > 32, "each sample counts"
    assert max(load.waiting for load in seen) > 0, "192 samples, 64 slots"
    assert max(load.cache for load in seen) > 0


@pytest.mark.usefixtures("database", "broker", "quick")
def test_a_run_goes_to_its_end(server: Server) -> None:
    run_id = _start(server)
    refining.drive(run_id)
    report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    assert report.variants == 4 * 3
    assert _incidents(run_id) == set()
    with unit_of_work() as session:
        assert session.scalar(select(func.count()).where(Variant.completion_tokens > 0)) == report.variants


@pytest.mark.usefixtures("database", "broker", "quick")
def test_a_run_outlives_a_server_that_is_killed(server: Server) -> None:
    run_id = _start(server)
    killer = _Killer(server, run_id)
    refining.drive(run_id, killer)
    report = refining.check(run_id)
    assert killer.killed
    assert (report.state, report.problems, report.variants) == ("finished", (), 12)
    assert {kind for _, kind in _incidents(run_id)} <= {"disconnected", "unreachable", "server_error"}
    assert _incidents(run_id)


class _Killer:
    """Asked by the lane whether to stop: kills the server once the run has begun, starts it again, and says no."""

    def __init__(self, server: Server, run_id: int) -> None:
        self._server = server
        self._run_id = run_id
        self.killed = False

    def __call__(self) -> bool:
        if not self.killed and refining.check(self._run_id).variants > 0:
            self.killed = True
            self._server.kill()
            self._server.start()
        return False


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane, frequent looks at the run."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)


def _start(server: Server) -> int:
    def model(name: str) -> dict[str, object]:
        return {"engine": "vllm", "options": _options(server, model=name, max_tokens=64)}

    return refining.start(
        refining.owner_with_seeds(4),
        environments=["deduction"],
        attempts=32,
        teacher=model("teacher"),
        student=model("student"),
    )


def _incidents(run_id: int) -> set[tuple[str, str]]:
    with unit_of_work() as session:
        rows = session.execute(select(Incident.stage, Incident.kind).where(Incident.run_id == run_id))
        return {(stage, kind) for stage, kind in rows}


async def test_embeddings_stand_in_the_order_of_their_texts_and_long_ones_are_told_apart(model: Path) -> None:
    with _serving(Server(model, "--max-model-len", "512", "--runner", "pooling", "--convert", "embed")) as server:
        found = await embed(server.url, ["one", "two", "one"], model="student", answers_as="teacher", timeout_s=300)
        assert found[0] == pytest.approx(found[2])
        assert found[0] != pytest.approx(found[1])
        with pytest.raises(EngineError) as raised:
            await embed(server.url, ["one", "two " * 2000], model="student", answers_as="teacher", timeout_s=300)
    assert raised.value.kind == "context_overflow"
