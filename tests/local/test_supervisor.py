"""Children that start, die, refuse to die and leave others behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from app.errors import Unavailable
from app.local import supervisor as module
from app.local.supervisor import Service, Supervisor

SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep(600)"
FAMILY = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("child.new").write_text(str(child.pid))
pathlib.Path("child.new").rename("child")
time.sleep(600)
"""
HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def service(name: str, code: str, **options: object) -> Service:
    return Service(name, [sys.executable, "-c", code], **options)  # type: ignore[arg-type]


def made(path: Path) -> object:
    async def ready() -> bool:
        return path.exists()  # noqa: ASYNC240 (a moment)

    return ready


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_starts_a_group_when_the_one_before_is_ready(tmp_path: Path) -> None:
    first = service("first", f"open('first', 'w'); {SLEEP}", ready=made(tmp_path / "first"))
    second = service("second", "import os; print(os.path.exists('first'), flush=True); open('second', 'w'); " + SLEEP,
                     ready=made(tmp_path / "second"))  # fmt: skip
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(first)
        await supervisor.start(second)
        assert set(supervisor.pids) == {"first", "second"}
        assert (tmp_path / "log" / "second.log").read_text() == "True\n"
        pids = supervisor.pids.values()
    assert not any(map(psutil.pid_exists, pids))


async def test_says_why_a_service_did_not_start(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(Unavailable, match=r"(?s)web ended with exit status 3\. .*log/web.log:\n    no such port"):
            await supervisor.start(
                service("web", "print('no such port'); raise SystemExit(3)", ready=made(tmp_path / "x"))
            )


async def test_gives_up_on_one_that_is_never_ready(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(Unavailable, match="web was not ready after 0 seconds"):
            await supervisor.start(service("web", SLEEP, ready=made(tmp_path / "x"), ready_within_s=0.2))


async def test_guarded_work_gives_its_result(tmp_path: Path) -> None:
    async def work() -> int:
        return 7

    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("web", SLEEP))
        assert await supervisor.guard(work()) == 7


async def test_guarded_work_ends_when_a_service_dies(tmp_path: Path) -> None:
    cancelled = asyncio.Event()

    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(service("late", SLEEP))  # also what is started within is watched
        psutil.Process(supervisor.pids["late"]).kill()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(Unavailable, match="late was ended by SIGKILL"):
            await supervisor.guard(work(supervisor))
    assert cancelled.is_set()


async def test_what_restarts_is_started_anew_with_nothing_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_STEADY_S", 0.0)
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("worker", FAMILY, ready=made(tmp_path / "child"), restarts=True))
        guarded = asyncio.create_task(supervisor.guard(asyncio.Event().wait()))
        before, (child,) = supervisor.pids["worker"], psutil.Process(supervisor.pids["worker"]).children()
        (tmp_path / "child").unlink()
        psutil.Process(before).kill()
        async with asyncio.timeout(60):
            while not (tmp_path / "child").exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.01)
        assert supervisor.pids["worker"] != before
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        assert not guarded.done()
        assert "worker was ended by SIGKILL, and is started anew" in caplog.text
        guarded.cancel()


async def test_what_ends_as_soon_as_it_begins_is_given_up(tmp_path: Path) -> None:
    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(service("worker", "raise SystemExit(3)", restarts=True))
        await asyncio.Event().wait()

    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(Unavailable, match="worker ended with exit status 3"):
            await supervisor.guard(work(supervisor))


async def test_kills_what_does_not_listen(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("deaf", DEAF, ready=made(tmp_path / "deaf"), grace_s=0.2))
        pid = supervisor.pids["deaf"]
    assert not psutil.pid_exists(pid)


async def test_ends_what_a_child_has_started(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("family", FAMILY, ready=made(tmp_path / "child")))
        grandchild = psutil.Process(int((tmp_path / "child").read_text()))
    psutil.wait_procs([grandchild], timeout=10)
    assert not grandchild.is_running()


async def test_a_process_is_there_until_its_last_thread_has_ended(tmp_path: Path) -> None:
    """As an engine that was killed, of which a thread still gives the GPU's memory back."""

    async def without_its_first() -> bool:
        return psutil.Process(supervisor.pids["headless"]).status() == psutil.STATUS_ZOMBIE

    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("headless", HEADLESS, ready=without_its_first))
        group = supervisor.pids["headless"]
        assert module._lives(group)
    assert not module._lives(group)


async def test_kill_ends_all_at_once(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("deaf", DEAF, ready=made(tmp_path / "deaf"), grace_s=600))
        supervisor.kill()


async def test_keeps_the_log_of_the_start_before(tmp_path: Path) -> None:
    for line in ("one", "two"):
        async with Supervisor(tmp_path) as supervisor:
            code = f"print('{line}', flush=True); open('{line}', 'w'); {SLEEP}"
            await supervisor.start(service("web", code, ready=made(tmp_path / line)))
    assert (tmp_path / "log" / "web.log").read_text() == "two\n"
    assert (tmp_path / "log" / "web.log.1").read_text() == "one\n"


async def test_children_do_not_hear_the_terminal(tmp_path: Path) -> None:
    """Ctrl-C is sent to the terminal's foreground group: a child leads a group and session of its own."""
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(service("web", "import os; print(os.getsid(0), os.getpgid(0), os.getpid(), flush=True); "
                                       "open('told', 'w'); " + SLEEP, ready=made(tmp_path / "told")))  # fmt: skip
        session, group, pid = (tmp_path / "log" / "web.log").read_text().split()
    assert session == group == pid


def test_a_service_stops_by_sigterm_unless_told() -> None:
    assert service("web", SLEEP).stop is signal.SIGTERM
