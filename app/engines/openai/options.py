"""What a run says of a model behind an OpenAI-compatible server."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator


class Sampling(BaseModel):
    """Options that teacher and student share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = Field(description="Address up to and with /v1, such as http://gpu-1:8000/v1.")
    model: str = Field(min_length=1, max_length=300, description="Name under which the server serves the model.")
    api_key_variable: str = Field(
        default="CAIRN_MODEL_KEY",
        # Only variables made for this: a run must not be able to send another secret of the worker to its server.
        pattern=r"^CAIRN_MODEL_KEY(_[A-Z0-9_]+)?$",
        description="Environment variable of the worker that holds the key; the key itself is never stored.",
    )
    temperature: float = Field(default=1.0, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False)
    max_tokens: int = Field(default=8192, ge=1, le=1_000_000, description="Longest reply, thinking included.")
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        default=None, description="For models that know it; left out otherwise."
    )
    timeout_s: float = Field(default=600.0, gt=0, le=7200, description="Seconds after which a request has stalled.")
    concurrency: int = Field(default=64, ge=1, le=4096, description="Requests under way at once, per lane.")

    @field_validator("base_url")
    @classmethod
    def _no_credentials(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password:
            raise ValueError("must not hold a password; put the key into the variable named by api_key_variable")
        return url

    @property
    def endpoint(self) -> str:
        return str(self.base_url).rstrip("/")

    @property
    def api_key(self) -> str | None:
        return os.environ.get(self.api_key_variable)


class TeacherOptions(Sampling):
    """The paper: GPT-OSS-120B at high reasoning effort."""


class StudentOptions(Sampling):
    """The paper: the same model at low effort, Llama-3.1-8B-Instruct, Qwen3-8B-Base or Qwen2.5-32B."""

    prompt: Literal["chat", "plain"] = Field(
        default="chat", description="Base models want `plain`: a text to continue instead of a chat."
    )
