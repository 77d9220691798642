"""Growing from a variant: what can be asked for, what would come of it, and what was asked for before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from app.db import Session
from app.domain.actor import Actor
from app.domain.asking import LONGEST_INSTRUCTION, MOST_CHILDREN, MOST_TURNS
from app.errors import AppError, Conflict, InvalidForm, InvalidInput
from app.features.chains import service as chains
from app.features.chains.schemas import VariantView
from app.features.growths import schemas, service
from app.features.growths.schemas import Offer
from app.messages import by_field
from app.web.charts import DifficultyMap
from app.web.deps import Id, Member, PagesDep, Work
from app.web.render import Pages, redirect
from app.web.variants import map_of

NAV = None
router = APIRouter()


class GrowForm(BaseModel):
    """The form's fields as typed."""

    direction: str = ""
    instruction: str = ""
    children: str = "1"
    turns: str = "1"
    seen: str = "0"

    def request(self) -> schemas.Request:
        """Raises InvalidForm."""
        try:
            return schemas.Request.model_validate(self.model_dump())
        except ValidationError as error:
            raise InvalidForm(by_field(error)) from error


@dataclass(frozen=True, slots=True)
class GrowPage:
    """The context of grow/page.html, with what was typed and what is wrong with it."""

    view: VariantView
    offer: Offer
    map: DifficultyMap
    values: GrowForm
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    longest: int = LONGEST_INSTRUCTION
    most_children: int = MOST_CHILDREN
    most_turns: int = MOST_TURNS


@router.get("/variants/{variant_id}/grow")
def form(request: Request, work: Work, member: Member, pages: PagesDep, variant_id: Id) -> Response:
    return _render(request, work, member, pages, variant_id)


@router.post("/variants/{variant_id}/grow")
def grow(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    variant_id: Id,
    values: Annotated[GrowForm, Form()],
) -> Response:
    try:
        outcome = service.grow(work, member, variant_id, values.request())
    except (InvalidInput, Conflict) as error:
        return _render(request, work, member, pages, variant_id, values, error)
    return redirect(f"/variants/{variant_id}/grow", flash=outcome.message)


@router.post("/growths/{growth_id}/cancel")
def cancel(work: Work, member: Member, growth_id: Id) -> Response:
    growth = service.cancel(work, member, growth_id)
    return redirect(f"/variants/{growth.variant_id}/grow", flash="Cancelled. What has grown stays.")


def _render(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    variant_id: int,
    values: GrowForm | None = None,
    error: AppError | None = None,
) -> Response:
    view = chains.variant(work, actor, variant_id)
    offer = service.offer(work, actor, variant_id)
    page = GrowPage(
        view=view,
        offer=offer,
        map=map_of(view.family, variant_id, lambda other: f"/variants/{other}/grow", 470.0),
        values=values or GrowForm(direction=offer.choices[0].direction.value, seen=str(offer.seen)),
        errors=_at_fields(error),
        problem=f"{error.message} {error.remedy}".strip() if isinstance(error, Conflict) else "",
    )
    return pages.render(request, "grow/page.html", page, block="content", status=error.status if error else 200)


def _at_fields(error: AppError | None) -> Mapping[str, str]:
    if isinstance(error, InvalidForm):
        return error.errors
    if isinstance(error, InvalidInput):
        return {error.field or "direction": f"{error.message} {error.remedy}".strip()}
    return {}
