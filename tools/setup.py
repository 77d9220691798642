"""Sets the project up, from hash-locked packages only: `setup.py run` to use it, `test` to work on it, `lock` to renew
the lock files (`upgrade` with the newest versions).

Only the standard library is in reach here. What is up to date already is left alone, so a second call takes no time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import frontend
from toolbox import ROOT, Toolbox, fail

VENV = ROOT / ".venv"
STAMP = VENV / "cairn-setup.json"
LOCKS = {"run": "requirements.lock", "test": "requirements-dev.lock"}
COMPILE = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")


def main() -> None:
    if sys.platform != "linux":
        fail("Cairn runs on Linux: its sandbox is made of Linux's own. Elsewhere use docker compose, or WSL 2.")
    goal = sys.argv[1] if len(sys.argv) == 2 else ""
    if goal not in (*LOCKS, "lock", "upgrade"):
        fail("usage: setup.py run|test|lock|upgrade")
    folder = ROOT / ".cairn"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = (folder / "setup.lock").open("w")
    except OSError as error:
        fail(f"{folder} can't be written: {error.strerror}. Give yourself the right to, or clone somewhere else.")
    fcntl.flock(lock, fcntl.LOCK_EX)  # until this process ends
    if goal in LOCKS:
        install(goal)
    else:
        write_locks(Toolbox(), upgrade=goal == "upgrade")


def install(goal: str) -> None:
    wanted = {"inputs": inputs(), "goal": goal}
    if stamped() in (wanted, wanted | {"goal": "test"}):
        return
    tools = Toolbox()
    STAMP.unlink(missing_ok=True)
    assets = Background(lambda: frontend.install(tools, with_tests=goal == "test"))
    python_packages(tools, LOCKS[goal])
    assets.join()
    STAMP.write_text(json.dumps(wanted))


def python_packages(tools: Toolbox, lock: str) -> None:
    print(f"Installing Python packages ({lock}) into {VENV.name}", flush=True)
    python = VENV / "bin" / "python"
    if not (python.exists() and same_interpreter(python)):
        shutil.rmtree(VENV, ignore_errors=True)
        tools.uv("venv", "--quiet", "--python", sys.executable, VENV)
    target = ("--quiet", "--python", python)
    # Bytecode now: some containers keep Python from writing it, and each start would take twice as long.
    tools.uv("pip", "sync", *target, "--compile-bytecode", "--require-hashes", lock)
    tools.uv("pip", "install", *target, "--no-deps", "--build-constraint", "tools/requirements.lock", "--editable", ".")
    subprocess.run([python, "-m", "compileall", "-q", "app", "workers"], cwd=ROOT, check=True)


def same_interpreter(python: Path) -> bool:
    code = "import sys; print(sys.version, sys.base_prefix)"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() == f"{sys.version} {sys.base_prefix}"


def inputs() -> str:
    """A hash of all that decides what is to be installed."""
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix} {ROOT}".encode())
    names = [
        *LOCKS.values(),
        "pyproject.toml",
        "package.json",
        "package-lock.json",
        ".npmrc",
        "tools/requirements.lock",
    ]
    for path in [*(ROOT / name for name in names), *sorted((ROOT / "tools").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stamped() -> object:
    if not (STAMP.exists() and frontend.BUNDLE.exists()):
        return None
    return json.loads(STAMP.read_text())


def write_locks(tools: Toolbox, *, upgrade: bool) -> None:
    options = (*COMPILE, *(("--upgrade",) if upgrade else ()))
    lock, dev = LOCKS["run"], LOCKS["test"]
    tools.uv("pip", "compile", *options, "pyproject.toml", "--output-file", lock, for_lock=True)
    tools.uv("pip", "compile", *options, "--extra", "dev", "--constraint", lock, "pyproject.toml", "--output-file", dev,
             for_lock=True)  # fmt: skip
    source = "tools/requirements.in"
    tools.uv("pip", "compile", *options, source, "--output-file", "tools/requirements.lock", for_lock=True)
    frontend.write_lock(tools)


class Background(threading.Thread):
    """A thread whose failure is raised by `join`."""

    def __init__(self, work) -> None:
        super().__init__(daemon=True)
        self.work, self.error = work, None
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001 (raised again by join)
            self.error = error

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self.error:
            raise self.error


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
