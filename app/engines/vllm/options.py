"""What a run says of a model behind vLLM servers."""

from __future__ import annotations

from pydantic import BaseModel, Field, HttpUrl, TypeAdapter, ValidationError, ValidationInfo, field_validator

from app.engines._openai.options import Answering, Sampling, plain_address

_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
_MOST_SERVERS = 64


class _Addresses(BaseModel):
    base_urls: str = Field(
        max_length=8000,
        description="Addresses of all servers of the model, up to and with /v1, with spaces between.",
    )

    # Left out where it is not used, so that what was measured before it existed keeps its profile.
    turns_url: HttpUrl | None = Field(
        default=None,
        exclude_if=lambda url: url is None,
        title="Turns URL",
        description="Where `cairn serve-models` gives this model its turn, if it shares its GPU with another.",
    )

    @field_validator("base_urls")
    @classmethod
    def _plain(cls, text: str) -> str:
        urls = text.replace(",", " ").split()
        if not 0 < len(urls) <= _MOST_SERVERS:
            raise ValueError(f"must name 1 to {_MOST_SERVERS} addresses, such as http://gpu-1:8000/v1")
        try:
            plain = [str(plain_address(_URL.validate_python(url))).rstrip("/") for url in urls]
        except ValidationError as error:
            raise ValueError(f"{error.errors()[0]['input']!r} is no address such as http://gpu-1:8000/v1") from error
        return " ".join(dict.fromkeys(plain))

    @field_validator("turns_url")
    @classmethod
    def _reachable(cls, url: HttpUrl | None, info: ValidationInfo) -> HttpUrl | None:
        if url is not None and len(info.data.get("base_urls", "").split()) > 1:
            raise ValueError(
                "must be left out where `base_urls` has several: only one server's turns can be waited for"
            )
        return url and plain_address(url)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(self.base_urls.split())


class TeacherOptions(_Addresses, Sampling):
    """The paper: GPT-OSS-120B at high reasoning effort."""


class StudentOptions(_Addresses, Answering):
    """The paper: the same model at low effort, Llama-3.1-8B-Instruct, Qwen3-8B-Base or Qwen2.5-32B."""
