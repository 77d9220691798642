"""`cairn doctor` where the databases are away: what is wrong and what to do, in words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _doctor(*words: str) -> subprocess.CompletedProcess[str]:
    away = {"DATABASE_URL": "postgresql://cairn@127.0.0.1:1/cairn", "REDIS_URL": "redis://127.0.0.1:1/0"}
    command = [sys.executable, "-m", "app.cli", "doctor", *words]
    return subprocess.run(command, cwd=ROOT, env=away, capture_output=True, text=True, check=False)


def test_the_machine_is_checked_all_the_same() -> None:
    done = _doctor("--json")
    assert (done.returncode, done.stderr) == (1, "")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["databases"]["ok"] is False
    assert checks["databases"]["remedy"] == "Check that it runs, then try again."
    assert checks["disk"]["ok"]


def test_a_ledger_cannot_be_read() -> None:
    done = _doctor("--run", "1")
    assert done.returncode != 0
    assert done.stderr == "cairn: The database can't be reached. Check that it runs, then try again.\n"
