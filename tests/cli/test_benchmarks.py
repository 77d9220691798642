"""`cairn benchmarks`, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _cairn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("database", "broker")
def test_a_set_is_imported_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "MBPP.jsonl"
    path.write_text('{"task_id": 1, "text": "Add them.", "code": "def f(a, b):\\n    return a + b"}\n')
    done = _cairn("import", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Items in the set 'MBPP': 1, of which 1 are too short to be recognised.\n"
    listed = json.loads(_cairn("list", "--json").stdout)
    assert listed == [{"name": "MBPP", "items": 1, "variants": 0, "origin": "MBPP.jsonl"}]
    refused = _cairn("import", path, "--name", "MBPP")
    assert refused.returncode == 1
    assert "There is a benchmark set 'MBPP' already." in refused.stderr
    missing = _cairn("import", tmp_path / "none.jsonl")
    assert (missing.returncode, "does not exist" in missing.stderr) == (1, True)
