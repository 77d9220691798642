"""`cairn grow`, as a person types it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from app.db import unit_of_work
from app.domain.seeds import stdlib_snippets
from app.models import Run, Variant

ROOT = Path(__file__).parents[2]


def _cairn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"CAIRN_WORKER_PROCESSES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("database", "broker")
def test_a_run_from_the_terminal_is_grown_on_from_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(stdlib_snippets(1, random.Random(11))[0].text)
    options = ("-e", "deduction", "--turns", "2", "--attempts", "8", "--no-baseline")
    assert _cairn("refine", "--seeds", tmp_path, *options).returncode == 0
    with unit_of_work() as session:
        origin = session.query(Variant).where(Variant.invalid_code.is_(None)).order_by(Variant.id).limit(1).one()
    grown = _cairn("grow", str(origin.id), "--direction", "harder", "--children", "2", "--json")
    assert grown.returncode == 0, grown.stderr
    told = json.loads(grown.stdout)
    assert (told["state"], len(told["variants"])) == ("finished", 2)
    refused = _cairn("grow", str(origin.id), "--direction", "repair")
    assert refused.returncode == 1
    assert refused.stderr.startswith("cairn: direction: 1.1 is valid")
    assert (
        _cairn("grow", "999", "--direction", "harder").stderr == "cairn: There is no variant 999 in this workspace.\n"
    )
    with unit_of_work() as session:
        session.get_one(Run, origin.run_id).state = "paused"
    waits = _cairn("grow", str(origin.id), "--direction", "vary")
    assert waits.returncode == 3
    assert "grow when it is resumed" in waits.stderr
