"""`share: sleep` with a real vLLM: two models of random weights take turns on one GPU (`make test-gpu`).

`CAIRN_TEST_GPU_VLLM` names the interpreter that has vLLM. The tests follow one another on the same servers; what they
measure stands in the report of `--junitxml`, with `-o junit_family=xunit1`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.config import settings
from app.db import unit_of_work
from app.domain.ports import EngineContext
from app.engines.vllm import VLLMEngine
from app.engines.vllm.turns import turns_at
from app.isolation import open_sandbox
from app.local.ports import free_port
from app.models import Incident
from app.serving import gpus
from tests.support import refining
from tests.support.asking import ATTEMPT
from tests.support.served import Command, core_among, until_gone

PYTHON = os.environ.get("CAIRN_TEST_GPU_VLLM", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not PYTHON, reason="CAIRN_TEST_GPU_VLLM names no interpreter that has vLLM"),
]
MODEL_MAKER = Path(__file__).parents[1] / "support" / "tiny_model.py"
ENGINE = VLLMEngine()
GPU = "0"
# Few weights, but a KV cache of many bytes per token: blocks of it would else be too many for a whole GPU.
SHAPE = ("num_attention_heads=8", "num_key_value_heads=8", "head_dim=128")
LAYERS = {"teacher": 16, "student": 12}
STARTS = (
    ("teacher", "starts;"),
    ("teacher", "ready"),
    ("teacher", "asleep"),
    ("student", "starts;"),
    ("student", "ready"),
)
_READY_S = 400.0
_MOVE_S = 120.0
_FREE_S = 30.0
# What a server may keep of the GPU while it sleeps: its context, its graphs, and what libraries set aside.
_ASLEEP_GIB = 4.0

Record = Callable[[str, object], None]


@dataclass
class Served:
    command: Command
    port: int
    total: float  # GiB, as all of these
    before: float
    asleep: float
    awake: float

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[float]:
        """Gives the seconds until it came."""
        came = asyncio.Event()
        began = time.monotonic()
        async with turns_at(self._turns_url(name)) as turns:
            holding = asyncio.create_task(turns.hold(came.set, lambda: None))
            waiting = asyncio.create_task(came.wait())
            try:
                await asyncio.wait([holding, waiting], timeout=_MOVE_S, return_when=asyncio.FIRST_COMPLETED)
                assert came.is_set(), f"{name} did not get its turn: {self.command.shown}"
                yield time.monotonic() - began
            finally:
                for task in (holding, waiting):
                    task.cancel()
                await asyncio.gather(holding, waiting, return_exceptions=True)

    async def reply(self, name: str) -> str:
        more = {"temperature": 0, "extra_body": '{"ignore_eos": true}'}
        options = ENGINE.StudentOptions.model_validate(self._options(name) | more)
        async with ENGINE.student(options, EngineContext(open_sandbox)) as student:
            (reply,) = await student.attempt(replace(ATTEMPT, n=1))
        return reply.reasoning + reply.text

    def model(self, name: str) -> dict[str, object]:
        """As a run's settings have it."""
        return {"engine": ENGINE.name, "options": self._options(name) | {"turns_url": self._turns_url(name)}}

    def _options(self, name: str) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.port + list(LAYERS).index(name)}/v1"
        return {"base_urls": url, "model": name, "max_tokens": 64, "timeout_s": 120}

    def _turns_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port + len(LAYERS)}/turns/{name}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    for name, layers in LAYERS.items():
        made = [PYTHON, MODEL_MAKER, folder / name, f"num_hidden_layers={layers}", *SHAPE]
        await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True)
    (total,) = (gpu.memory_gib for gpu in gpus.found() if gpu.index == GPU)
    before, port = used(), free_port(26_700)
    file = folder / "models.yaml"
    file.write_text(json.dumps(_plan(folder, port)))  # YAML too
    command = Command(file)
    try:
        async with asyncio.timeout(_READY_S):
            await command.until("teacher  asleep")
            asleep = used()  # the student's process takes seconds to come to the GPU
            await command.until("All models are ready")
        yield Served(command, port, total, before, asleep, used())
    finally:
        await command.kill()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane for each run, and frequent looks."""
    monkeypatch.setattr(settings(), "worker_processes", 2)
    monkeypatch.setattr(settings(), "control_s", 0.05)


async def test_the_first_sleeps_before_the_second_starts(served: Served, record_property: Record) -> None:
    for name in ("total", "before", "asleep", "awake"):
        record_property(f"GiB {name}", round(getattr(served, name), 2))
    told = served.command.shown
    places = [told.index(f"{name}  {news}") for name, news in STARTS]
    assert places == sorted(places)
    assert served.asleep < served.before + _ASLEEP_GIB
    assert served.awake > 0.7 * served.total


async def test_turns_change_over_and_a_model_that_slept_says_what_it_said_before(
    served: Served, record_property: Record
) -> None:
    said: dict[str, list[str]] = {name: [] for name in LAYERS}
    waits, memory = [], []
    for name in (*LAYERS, *LAYERS, *LAYERS):
        async with served.turn(name) as waited:
            waits.append(round(waited, 2))
            said[name].append(await served.reply(name))
            memory.append(round(used(), 2))
    record_property("seconds per turn", waits)
    record_property("GiB per turn", memory)
    assert [len(set(texts)) for texts in said.values()] == [1, 1], said
    assert said["teacher"] != said["student"]
    assert max(memory) - min(memory) < _ASLEEP_GIB, "one is awake at a time"


@pytest.mark.usefixtures("database", "broker", "quick")
async def test_runs_that_want_different_models_both_go_to_their_end(served: Served, record_property: Record) -> None:
    """What the models say is noise, so that hardly a problem gets as far as the student: each is a teacher here."""
    actor, began = refining.owner_with_seeds(4), time.monotonic()
    runs = []
    for teacher, student in (LAYERS, reversed(LAYERS)):
        roles = {"teacher": served.model(teacher), "student": served.model(student)}
        runs.append(refining.start(actor, environments=["deduction"], attempts=32, **roles))
    async with asyncio.timeout(_READY_S):
        await asyncio.gather(*(asyncio.to_thread(refining.drive, run_id) for run_id in runs))
    record_property("seconds", round(time.monotonic() - began, 2))
    for run_id in runs:
        report = refining.check(run_id)
        assert (report.state, report.problems, report.variants) == ("finished", (), 4 * 3)
    with unit_of_work() as session:
        assert session.scalars(select(Incident.message)).all() == []


async def test_a_killed_engine_is_replaced_and_holds_no_memory(served: Served, record_property: Record) -> None:
    async with served.turn("student"):
        said = await served.reply("student")
        family, began = served.command.family_of("student"), time.monotonic()
        core_among(family).kill()
        async with asyncio.timeout(_READY_S):
            await served.command.until("student  starts again")
            await until_gone(family)
            await until_used_less_than(served.asleep + _ASLEEP_GIB)
            record_property("seconds until free", round(time.monotonic() - began, 2))
            await served.command.until("student  ready")
        record_property("seconds until ready", round(time.monotonic() - began, 2))
        record_property("GiB", round(used(), 2))
        assert await served.reply("student") == said
    async with served.turn("teacher"):
        assert await served.reply("teacher")


async def test_a_killed_command_leaves_no_process_and_no_memory(served: Served, record_property: Record) -> None:
    family = served.command.family()
    assert len([process for process in family if "EngineCore" in " ".join(process.cmdline())]) == len(LAYERS)
    began = time.monotonic()
    await served.command.kill()
    await until_gone(family)
    record_property("seconds until gone", round(time.monotonic() - began, 2))
    await until_used_less_than(served.before + 0.5)
    record_property("seconds until free", round(time.monotonic() - began, 2))


def used() -> float:
    """GiB of the GPU."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", f"--id={GPU}"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout) / 1024


async def until_used_less_than(gib: float) -> None:
    deadline = time.monotonic() + _FREE_S
    while (now := used()) > gib:
        assert time.monotonic() < deadline, f"{now:.2f} GiB are taken, and {gib:.2f} should be left"
        await asyncio.sleep(0.1)


def _plan(folder: Path, port: int) -> dict[str, object]:
    model = {
        "devices": [int(GPU)],
        "max_model_len": 8192,
        # Compiling would take longer than all the rest; graphs are what a sleeping server keeps.
        "flags": {"compilation-config": {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}, "max-num-seqs": 64},
        "environment": {"VLLM_NO_USAGE_STATS": "1", "VLLM_USE_FLASHINFER_SAMPLER": "0"},
    }
    program = folder / "vllm"
    program.write_text(f'#!/bin/sh\nexec {PYTHON} -m vllm.entrypoints.cli.main "$@"\n')
    program.chmod(0o755)
    return {
        "vllm": str(program),
        "share": "sleep",
        "port": port,
        "turns_port": port + len(LAYERS),
        "models": {name: {**model, "source": str(folder / name)} for name in LAYERS},
        "ready_within_s": _READY_S,
    }
