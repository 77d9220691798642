"""Deciding from a page: what its form sends, and what becomes of a decision that was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, Field, ValidationError

from app.db import Session
from app.domain.actor import Actor
from app.errors import AppError, InvalidForm
from app.features.review import service
from app.features.review.schemas import Ballot, Outcome
from app.messages import by_field


class ReviewForm(BaseModel):
    """The fields of templates/components/_review.html."""

    act: Literal["approve", "reject", "undo"]
    variant: int = Field(default=0, ge=0, lt=2**63)
    decision: int = Field(default=0, ge=0, lt=2**63)
    content_hash: str = ""
    seen: int = Field(default=0, ge=0, lt=2**63)
    reason: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a decision was not taken, with what had been typed."""

    variant: int
    status: int
    message: str
    remedy: str
    reason: str
    comment: str

    @classmethod
    def of(cls, error: AppError, form: ReviewForm) -> Self:
        return cls(form.variant, error.status, error.message, error.remedy, form.reason, form.comment)


def act(work: Session, actor: Actor, form: ReviewForm) -> Outcome:
    """Does what the form asks. Raises what app.features.review.service raises."""
    if form.act == "undo":
        return service.undo(work, actor, form.decision)
    return service.decide(work, actor, form.variant, _ballot(form))


def _ballot(form: ReviewForm) -> Ballot:
    rejects = form.act == "reject"
    try:
        return Ballot(
            kind="reject" if rejects else "approve",
            reason=form.reason if rejects else "",
            comment=form.comment,
            content_hash=form.content_hash,
            seen=form.seen,
        )
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
