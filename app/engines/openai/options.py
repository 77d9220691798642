"""What a run says of a model behind an OpenAI-compatible server."""

from __future__ import annotations

from pydantic import BaseModel, Field, HttpUrl, field_validator

from app.engines._openai.options import Answering, Embedding, Sampling, plain_address


class _Address(BaseModel):
    base_url: HttpUrl = Field(description="Address up to and with /v1, such as http://gpu-1:8000/v1.")

    _plain = field_validator("base_url")(plain_address)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return (str(self.base_url).rstrip("/"),)


class TeacherOptions(_Address, Sampling):
    """The paper: GPT-OSS-120B at high reasoning effort."""


class StudentOptions(_Address, Answering):
    """The paper: the same model at low effort, Llama-3.1-8B-Instruct, Qwen3-8B-Base or Qwen2.5-32B."""


class EmbedderOptions(_Address, Embedding):
    """Any model that the server gives embeddings of."""
