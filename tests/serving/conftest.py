"""Models of a fake vLLM: real processes and real HTTP, with nothing to compute."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.serving.plan import Plan, parse_plan
from tests.support.ports import own_port

FAKE = Path(__file__).parents[1] / "support" / "fake_vllm.py"


@dataclass(frozen=True)
class Machine:
    """A folder in which models are served; `plan` gives the settings, as a person would write them."""

    folder: Path

    @property
    def vllm(self) -> str:
        program = self.folder / "vllm"
        if not program.exists():
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
            program.chmod(0o755)
        return str(program)

    def settings(self, devices: dict[str, list[int]], **more: object) -> dict[str, Any]:
        models = {}
        for name, gpus in devices.items():
            source = self.folder / name
            source.mkdir(exist_ok=True)
            (source / "behaviour.json").write_text("{}")
            models[name] = {"source": str(source), "devices": gpus, "port": own_port()}
        return {"vllm": self.vllm, "models": models, "turns_port": own_port(), **more}

    def plan(self, devices: dict[str, list[int]], **more: object) -> Plan:
        return parse_plan(self.settings(devices, **more))

    def starts(self, name: str) -> list[dict[str, Any]]:
        """What each process of a model was started with."""
        file = self.folder / name / "starts"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def events(self, name: str) -> list[str]:
        file = self.folder / name / "events"
        return file.read_text().splitlines() if file.exists() else []

    def core(self, devices: str) -> int:
        """The process that holds a GPU, or held it last."""
        return int((self.folder / f"gpu-{devices}.core").read_text())

    def behave(self, name: str, **how: object) -> None:
        (self.folder / name / "behaviour.json").write_text(json.dumps(how))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Its GPUs can't be listed, whatever machine the tests run on."""
    monkeypatch.setattr("app.serving.gpus._QUERY", ("cairn-no-such-program",))
    return Machine(tmp_path)
