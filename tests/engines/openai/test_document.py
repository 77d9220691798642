"""docs/models.md: its settings parse, and it names every option and every error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from app.engines._openai.profiles import PROFILES
from app.engines.openai.options import EmbedderOptions, StudentOptions
from app.features.runs.schemas import parse
from app.serving.plan import Plan, ServedModel, parse_plan

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.split("\n")[0].lstrip("# ") for text in EXAMPLES])
def test_examples_are_settings_of_runs_or_models_to_serve(text: str) -> None:
    data = yaml.safe_load(text)
    if "models" in data:
        assert set(parse_plan(data).models) == {"teacher", "student"}
        return
    roles = {"teacher", "student"} & data.keys()
    assert roles
    config = parse({"seeds": {"set": "any"}} | data)
    for role in roles:
        assert getattr(config, role).engine in ("openai", "vllm")


def test_every_option_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE))))
    assert {*StudentOptions.model_fields, *EmbedderOptions.model_fields} <= explained


def test_every_setting_of_served_models_is_explained() -> None:
    served = PAGE.split("## Serving models on a GPU machine")[1]
    explained = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", served, re.MULTILINE))))
    assert {*Plan.model_fields, *ServedModel.model_fields} - {"api_key_variable"} <= explained


def test_every_profile_is_listed_as_it_is() -> None:
    listed = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| [^|]+ \| (\w+) \| ([\d,]+) \| (\d+) GiB \|", PAGE, re.MULTILINE)
    assert listed == [
        (name, known.source, known.student["prompt"], f"{known.flags['max-model-len']:,}", f"{known.weights_gib:g}")
        for name, known in PROFILES.items()
    ]


def test_every_error_is_explained() -> None:
    sources = [*(ROOT / "app/engines/_openai").glob("*.py"), ROOT / "app/features/runs/grow.py"]
    raised = {kind for path in sources for kind in re.findall(r'EngineError\(\s*"(\w+)"', path.read_text("utf-8"))}
    raised |= {"overloaded", "server_error"}
    table = PAGE.split("## When a model fails")[1]
    assert raised == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
