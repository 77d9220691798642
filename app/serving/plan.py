"""The file of `cairn serve-models`: which models, on which GPUs."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app import registry
from app.domain.ports import Profile
from app.errors import InvalidForm, InvalidInput
from app.features.runs.schemas import read_yaml
from app.messages import Spelled, by_field

Flag = bool | int | float | str | list[object] | dict[str, object] | None
_Name = Annotated[str, Spelled("[a-z0-9][a-z0-9._-]{0,62}", "must be lower-case letters, digits, dots and dashes")]
_Port = Annotated[int, Field(ge=1, le=65535)]
# What else of the plan decides, or would give the server's control away.
_OURS = frozenset({"host", "port", "uds", "model", "served-model-name", "api-key", "enable-sleep-mode"})
_LARGEST = 1 << 20  # bytes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServedModel(_Strict):
    """One `vllm serve`."""

    profile: str = Field(default="", description="A well-known model, whose settings stand in for what is left out.")
    source: str = Field(default="", max_length=1000, description="Name on the Hugging Face hub, or a folder.")
    name: str = Field(
        default="", max_length=300, description="Name under which it is served; the profile's by default."
    )
    devices: list[str] = Field(
        max_length=64, description="GPUs, as in CUDA_VISIBLE_DEVICES: [0, 1]. Several hold one model together."
    )
    port: _Port | None = Field(default=None, description="By default the plan's, and one more for each further model.")
    max_model_len: int | None = Field(default=None, ge=1, description="Longest prompt and reply together, in tokens.")
    reasoning_parser: str | None = Field(default=None, description="What splits thoughts from answers.")
    gpu_memory_utilization: float | None = Field(
        default=None, gt=0, le=1, description="Share of each GPU's memory to take."
    )
    flags: dict[str, Flag] = Field(
        default_factory=dict, description="Further flags of `vllm serve`, without dashes before: max-num-seqs: 512."
    )
    environment: dict[str, str] = Field(default_factory=dict, description="Further environment variables.")

    @field_validator("devices", mode="before")
    @classmethod
    def _as_text(cls, devices: object) -> object:
        return (
            [str(each) if isinstance(each, int) else each for each in devices] if isinstance(devices, list) else devices
        )

    @field_validator("devices")
    @classmethod
    def _once_each(cls, devices: list[str]) -> list[str]:
        if len(set(devices)) < len(devices):
            raise ValueError("must name each device once")
        return devices

    @field_validator("profile")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and name not in profiles():
            raise ValueError(f"there is no profile {name!r}; known: {', '.join(profiles())}")
        return name

    @field_validator("flags")
    @classmethod
    def _not_ours(cls, flags: dict[str, Flag]) -> dict[str, Flag]:
        plain = {name.lstrip("-").replace("_", "-"): value for name, value in flags.items()}
        if taken := sorted(_OURS & plain.keys()):
            raise ValueError(f"must not set {', '.join(taken)}: other settings of this file do")
        return plain

    @model_validator(mode="after")
    def _has_a_source(self) -> ServedModel:
        if not (self.source or self.profile):
            raise ValueError("this needs a profile or a source; known profiles: " + ", ".join(profiles()))
        return self

    @property
    def known(self) -> Profile | None:
        return profiles()[self.profile] if self.profile else None

    @property
    def weights(self) -> str:
        return self.source or (self.known.source if self.known else "")

    @property
    def all_flags(self) -> dict[str, Flag]:
        """Those of the profile, then of the named settings, then the further ones."""
        named: dict[str, Flag] = {
            "max-model-len": self.max_model_len,
            "reasoning-parser": self.reasoning_parser,
            "gpu-memory-utilization": self.gpu_memory_utilization,
        }
        profile: Mapping[str, object] = self.known.flags if self.known else {}
        return {**profile, **{name: value for name, value in named.items() if value is not None}, **self.flags}  # type: ignore[dict-item]


class Plan(_Strict):
    """All models that this machine serves."""

    models: dict[_Name, ServedModel] = Field(min_length=1, max_length=64)
    host: str = Field(default="127.0.0.1", description="Address to listen on; another than localhost needs a key.")
    port: _Port = Field(default=8001, description="Of the first model.")
    share: Literal["sleep"] | None = Field(
        default=None, description="`sleep`: models with a GPU in common take turns; all but one of them sleep."
    )
    turns_port: _Port = Field(default=8100, description="Where workers ask for a model's turn, with `share: sleep`.")
    vllm: str = Field(default="vllm", min_length=1, description="The program, where it is not on the PATH.")
    api_key_variable: Annotated[
        str,
        Spelled("CAIRN_MODEL_KEY(_[A-Z0-9_]+)?", "must be CAIRN_MODEL_KEY, or CAIRN_MODEL_KEY_ and a name in capitals"),
    ] = Field(default="CAIRN_MODEL_KEY", description="Environment variable that holds the key to ask for.")
    ready_within_s: float = Field(
        default=3600, gt=0, le=86400, description="Seconds for download, loading and warming up."
    )

    @model_validator(mode="after")
    def _apart(self) -> Plan:
        for (one, first), (other, second) in combinations(self.models.items(), 2):
            common = sorted(set(first.devices) & set(second.devices))
            if common and self.share is None:
                raise ValueError(
                    f"{one} and {other} both want GPU {', '.join(common)}. Give them devices of their own, or set "
                    "`share: sleep`, so that they take turns"
                )
            if self.port_of(other) > 65535:
                raise ValueError(f"there is no port for {other}; set a smaller `port`")
            if self.port_of(one) == self.port_of(other):
                raise ValueError(f"{one} and {other} both want port {self.port_of(one)}")
        if self.groups and (one := next((n for n in self.models if self.port_of(n) == self.turns_port), "")):
            raise ValueError(f"{one} and `turns_port` both want port {self.turns_port}")
        if self.share and not self.is_local:
            # Whoever reaches the addresses that put a server to sleep needs no key, and can run code in it.
            raise ValueError("`share: sleep` needs `host: 127.0.0.1`: run the worker on this machine too")
        return self

    @property
    def is_local(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def port_of(self, name: str) -> int:
        return self.models[name].port or self.port + list(self.models).index(name)

    def served_name(self, name: str) -> str:
        model = self.models[name]
        return model.name or model.profile or name

    @property
    def groups(self) -> list[list[str]]:
        """Models that share GPUs with one another, directly or by way of a third."""
        found: list[list[str]] = []
        for name, model in self.models.items():
            joined = [group for group in found if any(set(self.models[m].devices) & set(model.devices) for m in group)]
            found = [group for group in found if group not in joined]
            found.append([*(member for group in joined for member in group), name])
        return [group for group in found if len(group) > 1]


def profiles() -> Mapping[str, Profile]:
    return registry.engine("vllm").profiles


def read_plan(path: Path) -> Plan:
    """Raises InvalidInput or InvalidForm, naming the field."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1).decode()
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}.", field="file") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8.", field="file") from error
    if len(text) > _LARGEST:
        raise InvalidInput(f"{path} is too large.", field="file")
    return parse_plan(read_yaml(text))


def parse_plan(data: object) -> Plan:
    """Raises InvalidForm with one message per field."""
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        raise InvalidForm(by_field(error, whole="models")) from error


def flag_words(flags: Mapping[str, Flag]) -> list[str]:
    """As `vllm serve` takes them: true and false as --x and --no-x, lists as several words, mappings as JSON."""
    words: list[str] = []
    for name, value in flags.items():
        match value:
            case None:
                continue
            case True:
                words.append(f"--{name}")
            case False:
                words.append(f"--no-{name}")
            case list():
                words += [f"--{name}", *map(str, value)]
            case dict():
                words += [f"--{name}", json.dumps(value)]
            case _:
                words += [f"--{name}", str(value)]
    return words
