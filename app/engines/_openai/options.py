"""What a run says of a model behind OpenAI-compatible servers, whatever their addresses."""

from __future__ import annotations

import json
import math
import os
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, field_validator
from pydantic_core import to_json

from app.engines._openai import reach
from app.errors import EngineError
from app.messages import Spelled

# Fields of the request that follow from other options, or that would change the shape of the reply.
_OURS = frozenset({"model", "messages", "prompt", "n", "seed", "stop", "stream", "echo", "temperature", "top_p"})
_OURS |= {"max_tokens", "max_completion_tokens"}
_KEY_VARIABLE = Spelled(
    "CAIRN_MODEL_KEY(_[A-Z0-9_]+)?", "must be CAIRN_MODEL_KEY, or CAIRN_MODEL_KEY_ and a name in capital letters"
)
_OPTIONAL = ("temperature", "top_p")


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable, without space around it")
    return text


_Name = Annotated[str, AfterValidator(_printable)]


class Served(BaseModel):
    """Options of every model behind a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: _Name = Field(min_length=1, max_length=300, description="Name under which the server serves the model.")
    answers_as: _Name | None = Field(
        default=None,
        max_length=300,
        description="Name that the server's answers carry, where it differs from `model`: a dated version, say.",
    )
    # Only variables made for this: a run must not be able to send another secret of the worker to its server.
    api_key_variable: Annotated[str, _KEY_VARIABLE] = Field(
        default="CAIRN_MODEL_KEY",
        description="Environment variable of the worker that holds the key; the key itself is never stored.",
    )
    timeout_s: float = Field(
        default=600.0, gt=0, le=7200, allow_inf_nan=False, description="Seconds after which a request has stalled."
    )

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Base addresses of the servers, without a slash at the end."""
        raise NotImplementedError

    @property
    def signed(self) -> str:
        """The name that answers must carry."""
        return self.answers_as or self.model

    @property
    def api_key(self) -> str:
        """The key, empty without one. Raises EngineError where no HTTP header can carry it."""
        key = os.environ.get(self.api_key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise EngineError(
                "unauthorised",
                f"The key in {self.api_key_variable} holds characters that no HTTP header can carry.",
                retryable=False,
                remedy="Set it again, restart the worker, and resume.",
            )
        return key


class Sampling(Served):
    """Options that teacher and student share."""

    temperature: float = Field(default=1.0, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False)
    max_tokens: int = Field(default=8192, ge=1, le=1_000_000, description="Longest reply, thinking included.")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="What the server calls that limit; OpenAI's newer models want the second."
    )
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        default=None, description="For models that know it; left out otherwise."
    )
    extra_body: str = Field(
        default="",
        max_length=4000,
        description='Further fields of every request, as a JSON object: {"top_k": 20}, say. {"top_p": null} leaves '
        "top_p out, for models that refuse it; likewise temperature.",
    )
    samples_per_request: int = Field(
        default=1024, ge=1, le=1024, description="Most samples asked for at once; 1 for servers that know no `n`."
    )
    concurrency: int = Field(
        default=8192,
        ge=1,
        le=65536,
        description="Most samples under way at once, per lane; a lane stays below it where the server shows that it "
        "has enough to do.",
    )

    @field_validator("extra_body")
    @classmethod
    def _object(cls, text: str) -> str:
        try:
            fields = json.loads(text or "{}", parse_constant=_refuse, parse_float=_finite)
            to_json(fields)  # as it is sent: no half of a surrogate pair, and no more than so deep
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise ValueError('must be a JSON object, such as {"top_k": 20}')
        left_out = {name for name in _OPTIONAL if name in fields and fields[name] is None}
        if taken := sorted(_OURS & fields.keys() - left_out):
            raise ValueError(f"must not set {', '.join(taken)}: other options do, or the run itself")
        return text

    @property
    def extra(self) -> dict[str, object]:
        fields: dict[str, object] = json.loads(self.extra_body or "{}")
        return fields


class Answering(Sampling):
    """Options of students."""

    prompt: Literal["chat", "plain"] = Field(
        default="chat", description="Base models want `plain`: a text to continue instead of a chat."
    )


class Embedding(Served):
    """Options of embedders."""

    texts_per_request: int = Field(
        default=32, ge=1, le=2048, description="Most texts sent at once; some servers take no more than 32."
    )


def plain_address(url: HttpUrl) -> HttpUrl:
    """Raises ValueError for an address that holds more than where the server is, or that runs may not reach."""
    if url.username or url.password:
        raise ValueError("must not hold a password; put the key into the variable named by api_key_variable")
    if url.query or url.fragment:
        raise ValueError("must end with its path, such as /v1, without ? or #")
    return reach.check(url)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is more than a number holds")
    return number
