"""Model servers over HTTP: which are in use, and how busy they are."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.features.servers import service
from app.features.servers.schemas import ServerView
from app.web.deps import BIGGEST_ID, ApiActor, Work

router = APIRouter(tags=["models"])


class SaturationOut(BaseModel):
    """What a server says of itself, whoever asks it. Rates are over the last seconds; null before the second look."""

    running: int
    waiting: int
    cache: float = Field(description="How full the KV cache is, 0 to 1.")
    preempted: int = Field(description="Sequences, since the server started.")
    tokens_per_s: float | None
    prefix_hits: float | None = Field(description="Share of prompt tokens found in the prefix cache, 0 to 1.")


class UseOut(BaseModel):
    """What one run asks of a server in one role, its lanes together, in samples."""

    run_id: int
    run_name: str
    role: Literal["teacher", "student"]
    lanes: int
    away: int = Field(description="Lanes whose circuit is open.")
    under_way: int
    limit: int = Field(description="Most that these lanes may have under way now, over all servers of the role.")


class ServerOut(BaseModel):
    """A server, by the newest report of any lane."""

    address: str
    model: str
    condition: Literal["up", "away", "stale"] = Field(
        description="away: the circuit is open, and a probe asks whether it is back. stale: no lane speaks of it now."
    )
    saturation: SaturationOut | None = Field(description="null where the server tells nothing, or is away.")
    as_of: datetime
    uses: list[UseOut]

    @classmethod
    def of(cls, view: ServerView) -> ServerOut:
        said = view.saturation
        known = asdict(view) | {"saturation": said.model_dump() if said else None}
        return cls.model_validate(known)


class ServerList(BaseModel):
    known: bool = Field(description="false where the reports can't be read just now; there is no server then.")
    items: list[ServerOut]


@router.get("/models")
def list_models(
    work: Work,
    actor: ApiActor,
    run: Annotated[int | None, Query(ge=1, le=BIGGEST_ID, description="Only those of this run.")] = None,
) -> ServerList:
    """The servers that lanes of the workspace talk to. A killed lane is forgotten after a minute."""
    found = service.in_use(work, actor, run)
    return ServerList(known=found.known, items=[ServerOut.of(view) for view in found.servers])
