"""docs/models.md: its settings parse, and it names every option and every error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from app.engines.openai.options import StudentOptions
from app.features.runs.schemas import parse

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.split("\n")[0].lstrip("# ") for text in EXAMPLES])
def test_examples_are_settings_of_runs(text: str) -> None:
    data = yaml.safe_load(text)
    roles = {"teacher", "student"} & data.keys()
    assert roles
    config = parse({"seeds": {"set": "any"}} | data)
    for role in roles:
        assert getattr(config, role).engine in ("openai", "vllm")


def test_every_option_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE))))
    assert set(StudentOptions.model_fields) <= explained


def test_every_error_is_explained() -> None:
    sources = [*(ROOT / "app/engines/_openai").glob("*.py"), ROOT / "app/features/runs/grow.py"]
    raised = {kind for path in sources for kind in re.findall(r'EngineError\(\s*"(\w+)"', path.read_text("utf-8"))}
    raised |= {"overloaded", "server_error"}
    table = PAGE.split("## When a model fails")[1]
    assert raised == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
