"""What the file may say, and how it is told what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import AppError, InvalidForm, InvalidInput, Unavailable
from app.serving import command, gpus
from app.serving.plan import Plan, parse_plan, read_plan

SOURCE = {"source": "org/model"}


def plan(models: dict[str, object], **more: object) -> Plan:
    return parse_plan({"models": models, **more})


@pytest.mark.parametrize(
    ("data", "field", "says"),
    [
        ({}, "models", "required"),
        ({"models": {}}, "models", "at least 1 entry"),
        ({"models": {"a": {"devices": [0]}}}, "models.a", "needs a profile or a source; known profiles: gpt-oss-120b"),
        ({"models": {"a": SOURCE}}, "models.a.devices", "required"),
        ({"models": {"a": {"profile": "gpt-7", "devices": [0]}}}, "models.a.profile", "known: gpt-oss-120b"),
        ({"models": {"a": {**SOURCE, "devices": [0, 0]}}}, "models.a.devices", "once"),
        ({"models": {"a": {**SOURCE, "devices": 0}}}, "models.a.devices", "list"),
        ({"models": {"a": {**SOURCE, "devices": [0], "flags": {"--api-key": "x"}}}}, "models.a.flags", "api-key"),
        ({"models": {"a": {**SOURCE, "devices": [0], "gpus": 1}}}, "models.a.gpus", "no such field"),
        ({"models": {"a": {**SOURCE, "devices": [0, 1]}, "b": {**SOURCE, "devices": [1, 2]}}}, "models",
         "A and b both want GPU 1. Give them devices of their own, or set `share: sleep`"),
        ({"models": {"a": {**SOURCE, "devices": [0], "port": 9}, "b": {**SOURCE, "devices": [1], "port": 9}}}, "models",
         "both want port 9"),
        ({"models": {"a": {**SOURCE, "devices": [0]}}, "share": "sleep", "host": "0.0.0.0"}, "models", "127.0.0.1"),
        ({"models": {"a": {**SOURCE, "devices": [0]}}, "api_key_variable": "HOME"}, "api_key_variable", "CAIRN_MODEL"),
        ({"models": {"a": {**SOURCE, "devices": [0]}, "b": {**SOURCE, "devices": [1]}}, "port": 65535}, "models",
         "no port for b"),
        ({"models": {"a": {**SOURCE, "devices": [0]}, "b": {**SOURCE, "devices": [0]}}, "share": "sleep",
          "turns_port": 8002}, "models", "B and `turns_port` both want port 8002"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field(data: object, field: str, says: str) -> None:
    with pytest.raises(InvalidForm) as raised:
        parse_plan(data)
    assert says in raised.value.errors[field]


def test_a_profile_brings_its_flags_and_the_file_has_the_last_word() -> None:
    both = plan(
        {
            "teacher": {"profile": "gpt-oss-120b", "devices": [0]},
            "student": {
                "profile": "llama-3.1-8b-instruct",
                "devices": [1],
                "max_model_len": 8192,
                "flags": {"compilation-config": {"level": 3}, "middleware": ["a", "b"], "async-scheduling": False},
            },
        }
    )
    teacher, student = (" ".join(command.command(both, name, "vllm")) for name in both.models)
    assert teacher.startswith("vllm serve openai/gpt-oss-120b --served-model-name gpt-oss-120b --host 127.0.0.1")
    assert "--max-model-len 65536" in teacher
    assert "--port 8001" in teacher
    assert "--reasoning-parser" not in teacher, "vLLM knows it by itself"
    assert "serve meta-llama/Llama-3.1-8B-Instruct" in student
    assert "--port 8002" in student
    assert "--max-model-len 8192" in student
    assert '--compilation-config {"level": 3} --middleware a b --no-async-scheduling' in student


def test_gpus_are_spread_over_as_the_file_says() -> None:
    spread = plan({"a": {**SOURCE, "devices": [0, 1], "flags": {"data-parallel-size": 2}}})
    assert "--tensor-parallel-size" not in command.command(spread, "a", "vllm")


def test_those_that_share_sleep_and_no_other_does() -> None:
    shared = plan(
        {"a": {**SOURCE, "devices": [0]}, "b": {**SOURCE, "devices": [1]}, "c": {**SOURCE, "devices": [0]}},
        share="sleep",
    )
    assert shared.groups == [["a", "c"]]
    asleep = {name for name in shared.models if "--enable-sleep-mode" in command.command(shared, name, "vllm")}
    assert asleep == {"a", "c"}
    assert "--gpu-memory-utilization 0.85" in " ".join(command.command(shared, "a", "vllm")), "the other keeps a part"
    assert "--gpu-memory-utilization" not in command.command(shared, "b", "vllm")
    assert "VLLM_SERVER_DEV_MODE" not in command.environment(shared, "b")
    assert command.environment(shared, "a")["VLLM_SERVER_DEV_MODE"] == "1"


def test_a_server_that_others_can_reach_asks_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_MODEL_KEY", raising=False)
    public = plan({"a": {**SOURCE, "devices": [0]}}, host="0.0.0.0")
    with pytest.raises(InvalidForm, match="CAIRN_MODEL_KEY"):
        command.key(public)
    monkeypatch.setenv("CAIRN_MODEL_KEY", "sk-1")
    assert command.environment(public, "a")["VLLM_API_KEY"] == "sk-1"
    assert command.address(public, public.port_of("a")) == "http://127.0.0.1:8001"


def test_without_vllm_it_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="Install vLLM"):
        command.program(plan({"a": {**SOURCE, "devices": [0]}}, vllm="no-such-vllm"))


GPUS = gpus.read("0, NVIDIA H100 80GB HBM3, 81559\n1, NVIDIA GeForce RTX 4090, 24564\n2, NVIDIA GB10, [N/A]\n")


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        ([3], "There is no GPU 3 here; there are 0, 1, 2."),
        ([1], "The weights alone take about 61 GiB, and GPU 1 has 24."),
        ([0], ""),
        ([0, 1], ""),
        ([2], ""),  # its memory is not told
        (["GPU-8932f937"], ""),
    ],
)
def test_a_plan_is_held_against_the_gpus_of_the_machine(devices: list[object], says: str) -> None:
    wanted = plan({"a": {"profile": "qwen2.5-32b", "devices": devices}})
    if not says:
        gpus.check(wanted, GPUS, 512)
        return
    with pytest.raises(InvalidForm) as raised:
        gpus.check(wanted, GPUS, 512)
    assert says in raised.value.errors["models.a.devices"]


def test_models_that_sleep_must_fit_into_the_memory_of_the_machine() -> None:
    wanted = plan(
        {"a": {"profile": "qwen2.5-32b", "devices": [0]}, "b": {"profile": "qwen3-8b-base", "devices": [0]}},
        share="sleep",
    )
    gpus.check(wanted, GPUS, 128)
    with pytest.raises(InvalidForm) as raised:
        gpus.check(wanted, GPUS, 64)
    assert "about 77 GiB, and it has 64" in raised.value.errors["share"]


@pytest.mark.parametrize("content", [None, b"\xff", b"- a list", b"models: [", b"x" * (1 << 21)])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "models.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput) as raised:
        read_plan(file)
    assert isinstance(raised.value, AppError)
    assert "refine" not in str(raised.value)
