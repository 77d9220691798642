"""`cairn up` as a user starts and ends it, with all its processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from app.local import launch, postgres, services, valkey
from app.local.leftovers import MARK

PARTS = {"postgres", "valkey-server", "celery", "uvicorn"}


@contextmanager
def up(folder: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "app.cli", "up", "--no-demo", "--data-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    with subprocess.Popen(
        [*command, "--port", str(port or free())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment | {"CAIRN_WORKER_PROCESSES": "1", "COLUMNS": "200"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def address(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Where it serves, and all that it said before; waits until it says so."""
    said = ""
    assert process.stdout
    for line in process.stdout:
        said += line
        if found := re.match(r"Serving at (\S+)", line):
            return found[1], said
    raise AssertionError(f"ended with {process.wait()}:\n{said}")


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(folder: Path) -> list[psutil.Process]:
    """Everything that runs for this folder; the databases are known by where they work."""
    return [process for process in psutil.process_iter() if belongs(process, folder)]


def belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get(MARK) == str(folder) or process.cwd() in (f"{folder}/postgres", f"{folder}/valkey")
    except psutil.Error:
        return False


def test_serves_until_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        url, said = address(process)
        assert f"{url}/signin/" in said
        with urllib.request.urlopen(f"{url}/readyz") as answer:  # noqa: S310 (our own address)
            assert answer.read() == b'{"database":"ok","broker":"ok"}'
        commands = " ".join(" ".join(part.cmdline()) for part in started(tmp_path))
        assert [part for part in PARTS if part not in commands] == []

        with up(tmp_path) as second:
            output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"Cairn already runs on {tmp_path} at {url} (process {process.pid})" in " ".join(output.split())

        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Stopping." in rest
    assert "Traceback" not in rest
    assert started(tmp_path) == []


def test_nothing_is_waited_for_longer_than_ten_seconds(tmp_path: Path) -> None:
    """The application's processes end together, and after them the databases."""
    variables = {"REDIS_URL": "redis://localhost"}
    application = services.worker(variables, 1), services.web(variables, "::1", 1), services.beat(variables, tmp_path)
    databases = postgres.service(tmp_path, tmp_path, launch.SAME), valkey.service(tmp_path, tmp_path)
    assert max(part.grace_s for part in application) + max(part.grace_s for part in databases) < 10


def test_takes_the_next_port_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with up(tmp_path, port) as process:
            url, said = address(process)
            assert re.search(rf"Port {port} is taken: using (\d+)\.", said)
            assert not url.endswith(f":{port}")


def test_nothing_outlives_kill_9_and_data_are_there_again(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        address(process)
        parts = started(tmp_path)
        process.kill()
        process.wait()
        assert psutil.wait_procs(parts, timeout=30)[1] == []
    with up(tmp_path) as process:
        url, _ = address(process)
        with urllib.request.urlopen(f"{url}/readyz") as answer:  # noqa: S310 (our own address)
            assert answer.status == 200


def test_ends_all_and_says_why_when_a_part_dies(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        address(process)
        web = next(part for part in started(tmp_path) if "uvicorn" in part.cmdline())
        web.kill()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "web was ended by SIGKILL" in output
    assert "Application startup complete" in output  # the end of its log
    assert started(tmp_path) == []
