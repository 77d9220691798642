"""Grading over HTTP, for a trainer that has no sandbox of its own."""

from __future__ import annotations

import asyncio
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from app.errors import InvalidForm, TooManyRequests
from app.features.exports import service as exports
from app.features.grading.schemas import Answer, Graded, KnownProblem, read_problem
from app.features.grading.service import grade_some
from app.messages import Spelled
from app.web.deps import BIGGEST_ID, ApiActor, Work

router = APIRouter(tags=["score"])

MAX_ANSWERS = 64
_PATIENCE_S = 10.0
# Requests that run programs at the same time; the workers need the machine as well.
_places = BoundedSemaphore(2)

_DOUBLE = {
    "id": "double",
    "environment": "deduction",
    "program": "def f(x):\n    return [x, x]",
    "inputs": ["'a'"],
    "outputs": ["['a', 'a']"],
}


class FrozenProblem(BaseModel):
    """A problem of a frozen version: the `id` of its row."""

    model_config = ConfigDict(extra="forbid")

    curriculum: int = Field(ge=1, le=BIGGEST_ID)
    revision: Annotated[str, Spelled("[0-9a-f]{64}|latest", "must be a SHA-256, or `latest`")] = "latest"
    id: str = Field(min_length=1, max_length=200)


class GivenAnswer(BaseModel):
    """Either the bare `answer`, or the model's whole `reply` with its fenced block."""

    model_config = ConfigDict(extra="forbid")

    answer: str | None = Field(default=None, max_length=100_000)
    reply: str | None = Field(default=None, max_length=400_000)


class ScoreRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    frozen: FrozenProblem | None = Field(default=None, description="A problem that Cairn holds.")
    problem: dict[str, object] | None = Field(default=None, description="Or one given here; see docs/formats.md.")
    answers: list[GivenAnswer] = Field(min_length=1, max_length=MAX_ANSWERS)


class ScoreResponse(BaseModel):
    verdicts: list[Graded] = Field(description="One per answer, in order.")


@router.post("/score")
def score(
    work: Work,
    actor: ApiActor,
    wanted: Annotated[
        ScoreRequest,
        Body(
            openapi_examples={
                "a problem given here": {
                    "value": {"problem": _DOUBLE, "answers": [{"answer": "['a', 'a']"}, {"answer": "'aa'"}]}
                }
            }
        ),
    ],
) -> ScoreResponse:
    """Verdicts on up to 64 answers to one problem. `reward` is null where the sandbox failed, never 0."""
    if (wanted.frozen is None) == (wanted.problem is None):
        raise InvalidForm({"problem": "Give either `frozen` or `problem`."})
    known = _frozen(work, actor, wanted.frozen) if wanted.frozen else read_problem(wanted.problem)
    answers = [_answer(known, given, i) for i, given in enumerate(wanted.answers)]
    work.commit()  # nothing was changed; the connection need not wait for the sandbox
    if not _places.acquire(timeout=_PATIENCE_S):
        raise TooManyRequests("Too many answers are being graded.", remedy="Ask again in a few seconds.")
    try:
        return ScoreResponse(verdicts=asyncio.run(grade_some(known, answers)))
    finally:
        _places.release()


def _frozen(work: Work, actor: ApiActor, wanted: FrozenProblem) -> KnownProblem:
    return read_problem(exports.row(work, actor, wanted.curriculum, wanted.revision, wanted.id))


def _answer(known: KnownProblem, given: GivenAnswer, number: int) -> Answer:
    if (given.answer is None) == (given.reply is None):
        raise InvalidForm({f"answers.{number}": "Give either `answer` or `reply`."})
    return Answer.of(known.id, given.answer, given.reply)
