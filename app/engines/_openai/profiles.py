"""Profiles of the models of the method (arXiv 2603.24202), behind any server of the OpenAI API.

Lengths of contexts and replies are starting points of ours, not the paper's. Weights are what the files on the hub take
(MXFP4 for gpt-oss, bfloat16 for the others); the KV cache comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.domain.ports import Profile

# Each profile sets all of these, so that nothing is left over from the one that was chosen before.
_SAMPLING: Mapping[str, object] = {
    "answers_as": None,
    "temperature": 1.0,
    "top_p": 1.0,
    "max_tokens": 4096,
    "reasoning_effort": None,
    "extra_body": "",
    "timeout_s": 600.0,
}
_CHAT = {**_SAMPLING, "prompt": "chat"}
# Base models continue a text with one solved problem in it, and stop where they would begin another.
_PLAIN = {**_SAMPLING, "prompt": "plain"}

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "gpt-oss-120b": Profile(
            title="GPT-OSS-120B, high effort as teacher, low as student",
            source="openai/gpt-oss-120b",
            teacher={
                **_SAMPLING,
                "model": "gpt-oss-120b",
                "reasoning_effort": "high",
                "max_tokens": 32768,
                "timeout_s": 1800.0,
            },
            student={**_CHAT, "model": "gpt-oss-120b", "reasoning_effort": "low", "max_tokens": 8192},
            flags={"max-model-len": 65536},  # vLLM knows the parser of its thoughts by itself
            weights_gib=61,
        ),
        "llama-3.1-8b-instruct": Profile(
            title="Llama-3.1-8B-Instruct, a chat model",
            source="meta-llama/Llama-3.1-8B-Instruct",
            teacher={},
            student={**_CHAT, "model": "llama-3.1-8b-instruct"},
            flags={"max-model-len": 16384},
            weights_gib=15,
        ),
        "qwen3-8b-base": Profile(
            title="Qwen3-8B-Base, a base model",
            source="Qwen/Qwen3-8B-Base",
            teacher={},
            student={**_PLAIN, "model": "qwen3-8b-base"},
            flags={"max-model-len": 16384},
            weights_gib=16,
        ),
        "qwen2.5-32b": Profile(
            title="Qwen2.5-32B, a base model",
            source="Qwen/Qwen2.5-32B",
            teacher={},
            student={**_PLAIN, "model": "qwen2.5-32b"},
            flags={"max-model-len": 16384},
            weights_gib=61,
        ),
    }
)
