"""The model servers in use, and how busy they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.features.servers import service
from app.features.servers.schemas import Servers
from app.web.deps import BIGGEST_ID, Member, PagesDep, Work
from app.web.navigation import NavItem

NAV = NavItem("Models", "/models", key="m", order=6)
router = APIRouter()


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """The context of models/page.html. `run`: the one run whose servers are shown, 0 for all."""

    servers: Servers
    run: int


@router.get("/models")
def models(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    run: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
) -> Response:
    context = ModelsPage(service.in_use(work, member, run), run or 0)
    return pages.render(request, "models/page.html", context, block="servers")
