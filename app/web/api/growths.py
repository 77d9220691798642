"""Growing over HTTP: asking for branches of a variant, following them, and cancelling them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel

from app.features.growths import service
from app.features.growths.schemas import Request
from app.web.deps import ApiActor, Id, Work
from app.web.outputs import GrowthOut

router = APIRouter(tags=["growths"])

_EXAMPLE = {"direction": "harder", "instruction": "Let ties matter.", "children": 2, "turns": 1, "seen": 0}
_REPAIR = {"direction": "repair"}


class Asked(GrowthOut):
    """What came of a request. `repeated`: it had been made before, and is one."""

    message: str
    repeated: bool


class GrowthList(BaseModel):
    items: list[GrowthOut]


@router.post("/variants/{variant_id}/grow", status_code=201)
def grow(
    work: Work,
    actor: ApiActor,
    variant_id: Id,
    request: Annotated[Request, Body(openapi_examples={"harder": {"value": _EXAMPLE}, "repair": {"value": _REPAIR}})],
) -> Asked:
    """Grows branches from a variant. A run at rest goes on for them, a paused one keeps them until it is resumed."""
    outcome = service.grow(work, actor, variant_id, request)
    return Asked(**GrowthOut.of(outcome.growth).model_dump(), message=outcome.message, repeated=outcome.repeated)


@router.get("/variants/{variant_id}/growths")
def list_growths(work: Work, actor: ApiActor, variant_id: Id) -> GrowthList:
    """What was asked for at a variant, oldest first."""
    return GrowthList(items=[GrowthOut.of(row) for row in service.of_variant(work, actor, variant_id)])


@router.get("/growths/{growth_id}")
def get_growth(work: Work, actor: ApiActor, growth_id: Id) -> GrowthOut:
    return GrowthOut.of(service.find(work, actor, growth_id))


@router.post("/growths/{growth_id}/cancel")
def cancel_growth(work: Work, actor: ApiActor, growth_id: Id) -> GrowthOut:
    """What has grown stays. 409 where it has ended."""
    return GrowthOut.of(service.cancel(work, actor, growth_id))
