"""Servers that start, fall over, hang, and end: nothing of them is ever left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
import yaml
from aiohttp import web

from app.engines.vllm.turns import turns_at
from app.errors import Conflict, InvalidForm
from app.serving import command, keeper
from app.serving.plan import Plan
from app.serving.probe import Endpoint
from app.serving.serve import serve
from tests.serving.conftest import Machine
from tests.support.ports import own_port

_PATIENCE_S = 60.0


async def until(done: Callable[[], bool], what: str) -> None:
    """Polls; the patience only bounds a test that has failed anyway."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not done():  # noqa: ASYNC110 (of other processes)
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {_PATIENCE_S:g} s: {what}") from None


@asynccontextmanager
async def serving(plan: Plan, folder: Path) -> AsyncIterator[list[str]]:
    """Gives what the terminal shows, once all are ready."""
    shown: list[str] = []
    task = asyncio.create_task(serve(plan, folder, say=shown.append))
    try:
        await until(lambda: task.done() or any("All models are ready" in line for line in shown), "all ready")
        if task.done():
            task.result()
        yield shown
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def alive(pid: int) -> bool:
    """Those that have ended wait for someone to take note of it, or are being taken note of this moment."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def count(shown: list[str], text: str) -> int:
    return sum(text in line for line in shown)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses: none decides a result."""
    for name in ("_FIRST_PAUSE_S", "_READY_POLL_S"):
        monkeypatch.setattr(keeper, name, 0.05)


async def test_each_model_gets_its_gpus_its_flags_and_no_secret_of_ours(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db/cairn")
    monkeypatch.setenv("CAIRN_MODEL_KEY", "sk-1")
    settings = machine.settings({"teacher": [0, 1], "student": [2]})
    settings["models"]["student"] |= {
        "name": "a-student", "max_model_len": 4096, "flags": {"max_num_seqs": 512, "enforce-eager": True},
        "environment": {"OMP_NUM_THREADS": "3"},
    }  # fmt: skip
    plan = Plan.model_validate(settings)
    async with serving(plan, machine.folder) as shown:
        teacher, student = machine.starts("teacher")[0], machine.starts("student")[0]
        pids = [teacher["pid"], student["pid"], machine.core("0,1"), machine.core("2")]
        assert all(map(alive, pids))
    assert not any(map(alive, pids)), "also not the engine core, which is deaf to SIGTERM"
    assert "--tensor-parallel-size 2" in " ".join(teacher["arguments"])
    assert teacher["environment"]["CUDA_VISIBLE_DEVICES"] == "0,1"
    asked = " ".join(student["arguments"])
    for flag in ("--served-model-name a-student", "--max-model-len 4096", "--max-num-seqs 512", "--enforce-eager",
                 "--generation-config vllm", "--shutdown-timeout 120", "--host 127.0.0.1"):  # fmt: skip
        assert flag in asked
    assert "sk-1" not in asked
    assert "--tensor-parallel-size" not in asked
    environment = student["environment"]
    assert {"VLLM_API_KEY": "sk-1", "OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "2",
            "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "120"}.items() <= environment.items()  # fmt: skip
    assert not {"DATABASE_URL", "CAIRN_MODEL_KEY", "VLLM_SERVER_DEV_MODE"} & environment.keys()
    told = yaml.safe_load(shown[-1].partition("\n")[2])
    assert told["student"]["options"] == {
        "base_urls": f"http://127.0.0.1:{plan.port_of('student')}/v1",
        "model": "a-student",
    }


async def test_a_killed_engine_core_is_replaced_though_its_server_ends_with_status_0(machine: Machine) -> None:
    async with serving(machine.plan({"teacher": [0], "student": [1]}), machine.folder) as shown:
        os.kill(machine.core("0"), signal.SIGKILL)
        await until(lambda: count(shown, "teacher  ready") == 2, "ready again")
        assert count(shown, "teacher ended with exit status 0") == 1
        assert (len(machine.starts("teacher")), len(machine.starts("student"))) == (2, 1)


async def test_one_that_can_not_start_is_tried_again_and_says_why(machine: Machine) -> None:
    settings = machine.settings({"teacher": [0]})
    machine.behave("teacher", fails=2)
    async with serving(Plan.model_validate(settings), machine.folder) as shown:
        assert count(shown, "no such weights") == 2
        assert len(machine.starts("teacher")) == 3


async def test_one_that_hangs_is_killed_and_started_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_LOOK_S", 0.05)
    async with serving(machine.plan({"teacher": [0]}), machine.folder) as shown:
        ill = machine.folder / "teacher" / "ill"
        ill.touch()
        await until(lambda: count(shown, "/health failed 3 times") == 1, "the hang is noticed")
        ill.unlink()
        await until(lambda: count(shown, "teacher  ready") == 2, "ready again")


async def test_a_killed_guard_takes_its_server_along(machine: Machine) -> None:
    async with serving(machine.plan({"teacher": [0]}), machine.folder) as shown:
        server, core = machine.starts("teacher")[0]["pid"], machine.core("0")
        psutil.Process(server).parent().kill()  # type: ignore[union-attr]
        await until(lambda: count(shown, "teacher  ready") == 2, "ready again")
        assert not alive(server)
        assert not alive(core)


@asynccontextmanager
async def turn_of(url: str) -> AsyncIterator[None]:
    """As a worker's lane holds it."""
    begun = asyncio.Event()
    async with turns_at(url) as turns:
        holding = asyncio.create_task(turns.hold(begun.set, lambda: None))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await begun.wait()
            yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)


@asynccontextmanager
async def saying_yes(port: int) -> AsyncIterator[list[str]]:
    """Answers whatever it is asked for the length of the block, and gives what that was."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield asked
    finally:
        await runner.cleanup()


async def test_models_on_one_gpu_are_awake_in_turns(machine: Machine) -> None:
    """Two at a time would be out of memory: the GPU is a lock here."""
    plan = machine.plan({"teacher": [0], "student": [0]}, share="sleep")
    async with serving(plan, machine.folder) as shown, aiohttp.ClientSession() as http:
        told = yaml.safe_load(shown[-1].partition("\n")[2])
        urls = {name: told[name]["options"]["turns_url"] for name in plan.models}
        for name in ("teacher", "student", "teacher"):
            async with turn_of(urls[name]):
                assert await Endpoint(http, command.address(plan, plan.port_of(name)), name).works()
        assert count(shown, "starts again") == 0
        assert set(machine.events("teacher") + machine.events("student")) == {"sleep level=1&mode=wait", "wake_up"}
    assert [len(machine.starts(name)) for name in plan.models] == [1, 1]


async def test_a_model_that_can_not_sleep_is_started_anew_and_the_other_gets_its_turn(machine: Machine) -> None:
    plan = machine.plan({"teacher": [0], "student": [0]}, share="sleep")
    async with serving(plan, machine.folder) as shown:
        told = yaml.safe_load(shown[-1].partition("\n")[2])
        urls = {name: told[name]["options"]["turns_url"] for name in plan.models}
        async with turn_of(urls["student"]):
            (machine.folder / "student" / "insomnia").touch()
        async with turn_of(urls["teacher"]):
            assert count(shown, "no memory to move to") == 1
        await until(lambda: count(shown, "student  ready") == 2, "ready again")
        async with turn_of(urls["teacher"]):
            core = machine.core("0")
            os.kill(core, signal.SIGKILL)
            await until(lambda: count(shown, "teacher  ready") == 2, "the one whose turn it is comes back")
        async with turn_of(urls["student"]):
            pass


async def test_what_took_a_models_port_meanwhile_is_not_taken_for_its_server(machine: Machine) -> None:
    plan = machine.plan({"teacher": [0], "student": [0]}, share="sleep")
    async with serving(plan, machine.folder) as shown:
        told = yaml.safe_load(shown[-1].partition("\n")[2])
        async with AsyncExitStack() as taking:
            async with turn_of(told["teacher"]["options"]["turns_url"]):
                os.kill(machine.starts("student")[0]["pid"], signal.SIGKILL)
                await until(lambda: count(shown, "student  waits for its GPU") == 2, "the student wants to start again")
                asked = await taking.enter_async_context(saying_yes(plan.port_of("student")))
            await until(lambda: count(shown, "is taken") > 0 or count(shown, "student  ready") > 1, "its turn comes")
            assert asked == []
        await until(lambda: count(shown, "student  ready") == 2, "ready again")


async def test_two_commands_do_not_serve_from_one_folder(machine: Machine) -> None:
    async with serving(machine.plan({"teacher": [0]}), machine.folder):
        with pytest.raises(Conflict):
            await serve(machine.plan({"student": [1]}), machine.folder)


async def test_a_taken_port_is_refused(machine: Machine) -> None:
    settings = machine.settings({"teacher": [0]})
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", own_port()) as other:
        settings["models"]["teacher"]["port"] = other.sockets[0].getsockname()[1]
        with pytest.raises(InvalidForm, match=r"models\.teacher\.port: Port \d+ on 127\.0\.0\.1 is taken"):
            await serve(Plan.model_validate(settings), machine.folder)


async def test_an_address_of_another_machine_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_MODEL_KEY", "sk-1")
    with pytest.raises(InvalidForm, match=r"models\.teacher\.port: The address '192\.0\.2\.1' can't be used"):
        await serve(machine.plan({"teacher": [0]}, host="192.0.2.1"), machine.folder)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_nothing_is_left_when_the_command_ends(machine: Machine, ending: signal.Signals) -> None:
    """SIGKILL as well: the kernel tells the guards of it, and they end their groups."""
    plan = machine.settings({"teacher": [0], "student": [1]})
    file = machine.folder / "models.yaml"
    file.write_text(yaml.safe_dump(plan))
    serving_models = subprocess.Popen(  # noqa: ASYNC220 (a moment)
        [sys.executable, "-m", "app.cli", "serve-models", file, "--data-dir", machine.folder], stdout=subprocess.PIPE
    )
    try:
        assert serving_models.stdout is not None
        shown = ""
        while "All models are ready" not in shown:
            line = await asyncio.to_thread(serving_models.stdout.readline)
            assert line, f"ended with {serving_models.wait()} after: {shown}"
            shown += line.decode()
        pids = [machine.starts(name)[0]["pid"] for name in ("teacher", "student")]
        pids += [machine.core("0"), machine.core("1")]
        assert all(map(alive, pids))
        serving_models.send_signal(ending)
        await asyncio.to_thread(serving_models.communicate)
    finally:
        serving_models.kill()
    assert serving_models.returncode == (-signal.SIGKILL if ending is signal.SIGKILL else 0)
    await until(lambda: not any(map(alive, pids)), "no process is left")
