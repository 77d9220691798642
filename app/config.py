"""Settings of the process, from environment variables and `.env`. Plug-ins own theirs, under their own prefix."""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_OURS = frozenset({"app", "workers", "migrations"})  # no code of Cairn's own is a library of programs


class Price(BaseModel):
    """Money per million tokens, and per hour for servers of one's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    completion: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    hour: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Settings(BaseSettings):
    """Every setting has a default that suits one machine; docs/configuration.md lists them."""

    model_config = SettingsConfigDict(env_prefix="CAIRN_", env_file=".env", env_ignore_empty=True, extra="ignore")

    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="An existing PostgreSQL 15 or newer; without it `cairn up` starts its own.",
    )
    redis_url: str | None = Field(
        default=None,
        validation_alias="REDIS_URL",
        description="An existing Redis or Valkey; without it `cairn up` starts its own.",
    )
    data_dir: Path = Field(default=Path(".cairn"), description="Databases, logs and exports of the local stack.")
    host: str = Field(default="127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="First port to try; a taken one gives the next.")
    public_url: str | None = Field(default=None, description="Address that browsers use, when a proxy stands before.")
    secure_cookies: bool = Field(default=False, description="Mark cookies Secure; set it wherever HTTPS is used.")
    debug: bool = Field(default=False, description="Show tracebacks. Never on a shared machine.")

    worker_processes: int = Field(
        default_factory=lambda: max(1, os.cpu_count() or 1), ge=1, description="Worker processes that drive lanes."
    )
    lane_chains: int = Field(
        default=16,
        ge=1,
        le=4096,
        description="Chains that one lane drives at once; more where servers have room.",
    )
    lane_slice_s: float = Field(
        default=300.0, gt=0, description="Seconds after which a lane gives way, if another run waits for one."
    )
    sandbox_processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Sandbox processes of a lane, for each of its two interpreters.",
    )
    lease_s: float = Field(default=45.0, gt=0, description="Seconds after which a silent lane loses its chains.")
    heartbeat_s: float = Field(default=10.0, gt=0, description="Seconds between two renewals of a lane's leases.")
    control_s: float = Field(
        default=1.0,
        gt=0,
        description="Seconds between two looks of a lane at its run and, on average, at its model servers.",
    )
    retry_pause_s: float = Field(
        default=0.5, gt=0, description="Seconds before a failed request to a model is made again; doubles up to 20."
    )
    retry_for_s: float = Field(
        default=300.0, ge=0, description="Seconds of trouble with a model after which the run pauses and says why."
    )
    reconcile_s: float = Field(default=15.0, gt=0, description="Seconds between two searches for stalled runs.")

    model_hosts: str = Field(
        default="",
        description="Hosts of model servers that runs may name, with spaces between: gpu-1, *.gpu.lan, 10.0.0.7:8000. "
        "Left out, any but link-local and metadata addresses.",
    )

    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What Prometheus sends as its bearer token to read /metrics, 16 characters or more. Left out, only "
        "this machine itself may read it.",
    )
    prices: Annotated[dict[str, Price], NoDecode] = Field(
        default={},
        description='What models cost, by name, as JSON: {"qwen3-8b": {"prompt": 0.1, "completion": 0.4}}, per million '
        'tokens; {"qwen3-8b": {"hour": 2.5}} for servers of your own. A run keeps the prices that it started with.',
    )
    currency: str = Field(default="USD", max_length=8, description="What prices are in; nothing is converted.")

    minimum_isolation: Literal["full", "contained", "filtered"] = Field(
        default="filtered", description="Weakest sandbox level under which a worker agrees to start."
    )
    sandbox_libraries: str = Field(
        default="",
        description="Libraries that problems may use besides the standard one, with spaces between: numpy sympy. "
        "They must be installed; Cairn brings numpy, the extra `libraries` sympy.",
    )
    max_upload_mb: int = Field(default=64, ge=1, description="Largest file that an import takes.")

    @field_validator("prices", mode="before")
    @classmethod
    def _read_prices(cls, prices: object) -> object:
        if not isinstance(prices, str):
            return prices
        try:
            return json.loads(prices)
        except ValueError as error:
            raise ValueError('this must be JSON, such as {"my-model": {"prompt": 0.1, "completion": 0.4}}') from error

    @field_validator("sandbox_libraries")
    @classmethod
    def _check_libraries(cls, names: str) -> str:
        for name in names.split():
            if not name.isidentifier():
                raise ValueError(f"{name!r} is no name of a module; write the names with spaces between")
            if name in sys.stdlib_module_names or name in _OURS:
                raise ValueError(f"{name!r} can't be given to programs; docs/sandbox.md lists what they always have")
        return " ".join(sorted(set(names.split())))

    @field_validator("database_url")
    @classmethod
    def _use_psycopg(cls, url: str | None) -> str | None:
        """Lets the usual spellings through: this project speaks to PostgreSQL by psycopg 3."""
        if url is None:
            return None
        for prefix in ("postgresql://", "postgres://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        if not url.startswith("postgresql+psycopg://"):
            raise ValueError("must start with postgresql://")
        return url


def libraries() -> tuple[str, ...]:
    """Those that programs may use besides the standard library, in alphabetical order."""
    return tuple(settings().sandbox_libraries.split())


def variable(name: str) -> str:
    """The environment variable of a setting, by its name here or in an error; what lies within it stands behind."""
    name, dot, within = name.partition(".")
    field = Settings.model_fields.get(name)
    alias = field.validation_alias if field else name
    return (str(alias) if alias else f"CAIRN_{name.upper()}") + dot + within


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
