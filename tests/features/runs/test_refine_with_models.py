"""`cairn refine` with the first example of docs/models.md, against a server over HTTP."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from app import prompts
from app.domain.seeds import stdlib_snippets
from tests.support.model_server import saying, serve

ROOT = Path(__file__).parents[3]


@pytest.mark.usefixtures("database", "broker")
def test_the_first_example_of_the_document_runs(portal: BlockingPortal, tmp_path: Path) -> None:
    example = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/models.md").read_text("utf-8"), re.DOTALL)[0]
    (tmp_path / "code").mkdir()
    for number, seed in enumerate(stdlib_snippets(4, random.Random(11))):
        (tmp_path / "code" / f"{number}.py").write_text(seed.text)
    with portal.wrap_async_context_manager(serve(saying(prompts.example_reply("deduction")))) as server:
        server.every = 5
        (tmp_path / "first.yaml").write_text(example.replace("http://localhost:8001/v1", server.url))
        refined = _refine(tmp_path / "first.yaml", "--seeds", tmp_path / "code", "--json")
        assert refined.returncode == 0, refined.stderr
        summary = json.loads(refined.stdout)
        assert summary["state"] == "finished"
        assert {body["model"] for body in server.requests} == {"qwen3-8b"}
        assert server.met

        server.failing = "unknown_model"
        paused = _refine(tmp_path / "first.yaml", "--seeds", "code")
    assert paused.returncode == 3
    assert "404" in paused.stdout
    assert "Check base_url and model" in " ".join(paused.stdout.split())


def _refine(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "refine", *arguments],
        cwd=ROOT,
        env=os.environ | {"CAIRN_WORKER_PROCESSES": "1", "CAIRN_RETRY_PAUSE_S": "0.01"},
        capture_output=True,
        text=True,
        check=False,
    )
