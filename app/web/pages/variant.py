"""One variant in full: its problem beside another, how students did, the teacher's reply, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app import prompts, registry
from app.db import Session
from app.domain.actor import Actor
from app.domain.problem import Problem
from app.errors import AppError, InvalidInput
from app.features.chains import service
from app.features.chains.schemas import AttemptPage, VariantRow, VariantView
from app.features.review import queue
from app.features.review.schemas import REASONS, Panel
from app.messages import Spelled
from app.web.charts import DifficultyMap
from app.web.deps import Id, Member, PagesDep, Work
from app.web.render import Here, Pages, redirect
from app.web.review import Refused, ReviewForm, act
from app.web.students import told_apart
from app.web.variants import Base, Mode, Parts, base_of, choices_of, map_of

NAV = None
router = APIRouter()
ATTEMPTS = 10
TABS = {
    "problem": "Problem",
    "attempts": "Attempts",
    "reply": "Teacher's reply",
    "prompt": "Student's prompt",
    "provenance": "Provenance",
}


class VariantQuery(BaseModel):
    """What of a variant is shown."""

    model_config = ConfigDict(extra="forbid")

    tab: Literal["problem", "attempts", "reply", "prompt", "provenance"] = "problem"
    base: Annotated[str, Spelled(r"(parent|seed|none|\d{1,18})?", "must be parent, seed, none or a variant's id")] = ""
    mode: Mode = "unified"
    verdict: Literal["", "passed", "failed", "error"] = ""
    measurement: int | None = Field(default=None, ge=1, lt=2**63)
    first: int = Field(default=1, ge=1, le=100_000)


@dataclass(frozen=True, slots=True)
class VariantPage:
    """The context of variant/page.html."""

    view: VariantView
    students: Mapping[int, str]
    query: VariantQuery
    parts: Parts
    base: Base | None
    bases: Sequence[tuple[str, str]]
    before: VariantRow | None
    behind: VariantRow | None
    map: DifficultyMap
    attempts: AttemptPage | None
    prompt: str
    panel: Panel
    note: str
    refused: Refused | None
    tabs: Mapping[str, str] = field(default_factory=lambda: TABS)
    reasons: Mapping[str, str] = field(default_factory=lambda: REASONS)


Wanted = Annotated[VariantQuery, Query()]


@router.get("/variants/{variant_id}")
def variant(request: Request, work: Work, member: Member, pages: PagesDep, variant_id: Id, query: Wanted) -> Response:
    return _render(request, work, member, pages, variant_id, query)


@router.post("/variants/{variant_id}")
def decide(
    request: Request,
    work: Work,
    member: Member,
    pages: PagesDep,
    variant_id: Id,
    query: Wanted,
    form: Annotated[ReviewForm, Form()],
) -> Response:
    try:
        outcome = act(work, member, form)
    except AppError as error:
        return _render(request, work, member, pages, variant_id, query, refused=Refused.of(error, form))
    return redirect(Here(f"/variants/{outcome.variant_id}", request.url.query)(), flash=outcome.message)


def _render(
    request: Request,
    work: Session,
    actor: Actor,
    pages: Pages,
    variant_id: int,
    query: VariantQuery,
    *,
    note: str = "",
    refused: Refused | None = None,
) -> Response:
    view = service.variant(work, actor, variant_id)
    bases = choices_of(view)
    if query.base not in ("", *(key for key, _ in bases)):
        raise InvalidInput(
            "There is nothing of this name to compare with.", field="base", remedy=f"Choose {_listed(bases)}."
        )
    at = next(i for i, other in enumerate(view.family) if other.id == variant_id)
    context = VariantPage(
        view=view,
        students=told_apart(measurement.student for measurement in view.measurements),
        query=query,
        parts=Parts.of(view.problem),
        base=base_of(view, query.base, lambda other: service.problem(work, actor, other)),
        bases=bases,
        before=view.family[at - 1] if at else None,
        behind=view.family[at + 1] if at + 1 < len(view.family) else None,
        map=map_of(
            view.family, variant_id, lambda other: Here(f"/variants/{other}", request.url.query)(base=None), 470.0
        ),
        attempts=_attempts(work, actor, variant_id, query) if query.tab == "attempts" else None,
        prompt=_prompt(view.problem) if query.tab == "prompt" else "",
        panel=queue.panel(work, actor, view.row),
        note=note,
        refused=refused,
    )
    return pages.render(
        request, "variant/page.html", context, block="content", status=refused.status if refused else 200
    )


def _listed(bases: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{key} ({name})" if key != name else key for key, name in bases)


def _attempts(work: Session, actor: Actor, variant_id: int, query: VariantQuery) -> AttemptPage:
    return service.attempts(
        work,
        actor,
        variant_id,
        measurement_id=query.measurement,
        verdict=query.verdict or None,
        first=query.first,
        limit=ATTEMPTS,
    )


def _prompt(problem: Problem | None) -> str:
    """What a chat model is asked, "" where there is no problem or its environment is no longer installed."""
    if problem is None or problem.environment not in registry.environments():
        return ""
    view = registry.environment(problem.environment).present(problem)
    return "\n\n".join(message.content for message in prompts.student_messages(problem.environment, view))
