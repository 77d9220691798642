"""Goals, caps and previews of `cairn refine`, as a person types them."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.seeds import stdlib_snippets
from app.features.runs.schemas import from_yaml

ROOT = Path(__file__).parents[2]
SMALL = ("-e", "deduction", "--turns", "2", "--attempts", "4", "--no-baseline")
pytestmark = pytest.mark.usefixtures("database", "broker")


def _refine(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "refine", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"CAIRN_WORKER_PROCESSES": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_options_go_before_those_of_a_file_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("seeds: {set: stdlib}\nuntil: {usable: 5, bins: [hard]}\ncaps: {tokens: 9, hours: 2}\n")
    options = ("--until", "7", "--max-tokens", "8", "--max-attempts", "6", "--print-config")
    config = from_yaml(_refine(file, *options).stdout)
    assert config.until is not None
    assert (config.until.usable, config.until.bins) == (7, ["hard"])
    assert config.caps.model_dump(exclude_none=True) == {"tokens": 8, "attempts": 6, "hours": 2}
    config = from_yaml(_refine(file, "--bin", "easy", "--bin", "medium", "--print-config").stdout)
    assert config.until is not None
    assert (config.until.usable, config.until.bins) == (5, ["easy", "medium"])


def test_a_bin_alone_is_no_goal() -> None:
    refused = _refine("--seeds", "stdlib", "--bin", "easy")
    assert refused.returncode == 1
    assert "until.usable: This is required" in refused.stderr


def _code(folder: Path, count: int) -> Path:
    for number, seed in enumerate(stdlib_snippets(count, random.Random(11))):
        (folder / f"{number}.py").write_text(seed.text)
    return folder


def test_a_preview_prints_what_the_whole_run_takes(tmp_path: Path) -> None:
    prices = '{"procedural": {"hour": 2.0}}'
    options = ("--seeds", _code(tmp_path, 9), *SMALL, "--preview", "--max-attempts", "50")
    shown = _refine(*options, CAIRN_PRICES=prices, CAIRN_CURRENCY="EUR")
    assert shown.returncode == 0, shown.stderr
    told = " ".join(shown.stdout.split())
    assert "The whole run, by n = 5 seeds" in told
    assert "money (EUR)" in told
    assert re.search(r"\d+ attempts of 50 attempts", told)
    assert "It would stop at its cap on attempts, before this." in told


def test_a_capped_run_is_no_failure(tmp_path: Path) -> None:
    ended = _refine("--seeds", _code(tmp_path, 3), *SMALL, "--max-hours", "1e-9", "--json")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert (summary["state"], summary["capped_by"], summary["main"]["chains_unstarted"]) == ("finished", "hours", 3)
    assert summary["ended_because"].startswith("Stopped at its cap of 3.6e-06 s")
