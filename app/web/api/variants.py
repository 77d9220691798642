"""Variants over HTTP: lists, one in full, its attempts, and decisions on it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from pydantic import Field

from app.features.chains import service
from app.features.chains.filters import VariantFilter
from app.features.review import queue
from app.features.review import service as review
from app.features.review.schemas import Ballot
from app.web.deps import BIGGEST_ID, ApiActor, Id, Work
from app.web.outputs import AttemptList, AttemptOut, DecisionResult, VariantDetail, VariantList, VariantOut

router = APIRouter(tags=["variants"])

_APPROVE = {"kind": "approve", "content_hash": "the variant's content_hash", "seen": 0}
_REJECT = {"kind": "reject", "reason": "trivial", "comment": "", "content_hash": "the variant's content_hash"}


class VariantQuery(VariantFilter):
    """A page of a run's variants."""

    run: int = Field(ge=1, le=BIGGEST_ID, description="Id of the run.")
    after: int = Field(default=0, ge=0, le=BIGGEST_ID, description="Id of the last variant of the page before.")
    limit: int = Field(default=100, ge=1, le=500)


@router.get("/variants")
def list_variants(work: Work, actor: ApiActor, query: Annotated[VariantQuery, Query()]) -> VariantList:
    """By id, oldest first. The filters are those of the tree grid."""
    rows, more = service.list_variants(work, actor, query.run, query, query.after, query.limit)
    items = [VariantOut.of(row) for row in rows]
    return VariantList(items=items, next_after=items[-1].id if more else None)


@router.get("/variants/{variant_id}")
def get_variant(work: Work, actor: ApiActor, variant_id: Id) -> VariantDetail:
    view = service.variant(work, actor, variant_id)
    return VariantDetail.from_view(view, queue.votes(work, view.row))


@router.get("/variants/{variant_id}/attempts")
def list_attempts(
    work: Work,
    actor: ApiActor,
    variant_id: Id,
    measurement: Annotated[int | None, Query(ge=1, le=BIGGEST_ID, description="By the run's student if none.")] = None,
    verdict: Literal["passed", "failed", "error"] | None = None,
    first: Annotated[int, Query(ge=1, le=100_000, description="Where to begin, counted from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=200)] = 32,
) -> AttemptList:
    page = service.attempts(
        work, actor, variant_id, measurement_id=measurement, verdict=verdict, first=first, limit=limit
    )
    end = first + len(page.attempts)
    return AttemptList(
        items=[AttemptOut.of(attempt) for attempt in page.attempts],
        total=page.total,
        next_first=end if end <= page.total else None,
    )


@router.post("/variants/{variant_id}/decisions", status_code=201)
def decide(
    work: Work,
    actor: ApiActor,
    variant_id: Id,
    ballot: Annotated[Ballot, Body(openapi_examples={"approve": {"value": _APPROVE}, "reject": {"value": _REJECT}})],
) -> DecisionResult:
    """Approves or rejects. 409 where the problem or the others' decisions are not as seen; sent twice, one vote."""
    return DecisionResult.of(review.decide(work, actor, variant_id, ballot))


@router.post("/decisions/{decision_id}/undo", status_code=201)
def undo(work: Work, actor: ApiActor, decision_id: Id) -> DecisionResult:
    """Takes back one of your own last 20 decisions."""
    return DecisionResult.of(review.undo(work, actor, decision_id))
