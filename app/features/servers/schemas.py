"""What lanes report of the model servers that they talk to, and what a screen makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

RoleName = Literal["teacher", "student"]
Condition = Literal["up", "away", "stale"]


class _Report(BaseModel):
    """Read by whatever version of the code the web runs: what it does not know is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Saturation(_Report):
    """What a server says of itself. Rates are over the last seconds, None where nothing can be said of these."""

    running: int
    waiting: int
    cache: float  # how full the KV cache is, 0 to 1
    preempted: int  # since the server started
    tokens_per_s: float | None
    prefix_hits: float | None  # share of prompt tokens found in the prefix cache


class ServerReport(_Report):
    """One server as one lane sees it; `saturation` is None where the server tells nothing or is away."""

    address: str
    model: str
    away: bool
    under_way: int
    saturation: Saturation | None


class RoleReport(_Report):
    """What one role of one lane may have under way over all its servers, has, and how these are. Counted in samples."""

    role: RoleName
    limit: int
    under_way: int
    servers: list[ServerReport]


class LaneReport(_Report):
    roles: list[RoleReport]


@dataclass(frozen=True, slots=True)
class Told:
    """A lane's last report, `age_s` old."""

    workspace_id: int
    run_id: int
    age_s: float
    report: LaneReport


@dataclass(frozen=True, slots=True)
class Use:
    """What one run asks of a server in one role: its lanes together. `limit` is over all servers of the role."""

    run_id: int
    run_name: str
    role: RoleName
    lanes: int
    away: int  # lanes whose circuit is open
    under_way: int
    limit: int


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server in use, by the newest report of any lane.

    `away`: the newest report says that no request reaches it. `stale`: every lane that spoke of it has fallen silent.
    """

    address: str
    model: str
    condition: Condition
    saturation: Saturation | None
    as_of: datetime
    uses: Sequence[Use]


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers in use; `known` is False where the reports can't be read just now."""

    known: bool
    servers: Sequence[ServerView]
