"""Approving many variants at once: what is picked in the tree is counted and shown before anything is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from app.errors import InvalidInput
from app.features.chains import service as chains
from app.features.chains.schemas import RunFacts
from app.features.review import service
from app.features.review.schemas import Candidate, Pick
from app.web.deps import BIGGEST_ID, Id, Member, PagesDep, Work
from app.web.render import local_path, redirect

NAV = None
router = APIRouter()
_VariantId = Annotated[int, Query(ge=1, le=BIGGEST_ID)]


@dataclass(frozen=True, slots=True)
class ApprovePage:
    """The context of review/approve.html."""

    run: RunFacts
    ready: Sequence[Candidate]
    left_out: Sequence[Candidate]
    back: str


@router.get("/runs/{run_id}/approve")
def confirm(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    run_id: Id,
    pick: Annotated[list[_VariantId], Query()] = [],  # noqa: B006 - FastAPI copies it
    back: str = "",
) -> Response:
    picked = service.candidates(work, member, run_id, pick)
    context = ApprovePage(
        run=chains.run_facts(work, member, run_id),
        ready=[candidate for candidate in picked if not candidate.obstacle],
        left_out=[candidate for candidate in picked if candidate.obstacle],
        back=local_path(back, f"/runs/{run_id}/tree"),
    )
    return pages.render(request, "review/approve.html", context)


@router.post("/runs/{run_id}/approve")
def approve(
    work: Work,
    member: Member,
    run_id: Id,
    pick: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
    back: Annotated[str, Form()] = "",
) -> Response:
    try:
        picks = [Pick.parse(text) for text in pick]
    except ValueError as error:
        raise InvalidInput("This is no picked variant.", field="pick", remedy="Select the rows again.") from error
    outcome = service.approve_all(work, member, picks)
    kind = "done" if outcome.approved or outcome.repeated else "failed"
    return redirect(local_path(back, f"/runs/{run_id}/tree"), flash=outcome.message, kind=kind)
