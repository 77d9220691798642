"""Errors as answers: a page for people, a note in place for htmx, JSON for programs, and never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app import audit
from app.db import unit_of_work
from app.errors import (
    AppError,
    Conflict,
    Forbidden,
    InvalidForm,
    InvalidInput,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from app.messages import words
from app.web.render import wants_fragment

RETRY_AFTER_S = 5
_BY_STATUS = {401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 413: TooLarge, 429: TooManyRequests}
_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    message: str
    field: str | None = Field(description="The input that it speaks of, dotted.")
    remedy: str
    request_id: str = Field(description="Also in the header X-Request-ID and in the server's log.")
    errors: dict[str, str] = Field(description="Every field that is wrong, with what is wrong with it.")


class ErrorBody(BaseModel):
    """The body of every answer of the API from 400 on."""

    error: Problem


RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "No valid token"},
    403: {"model": ErrorBody, "description": "Not allowed"},
    404: {"model": ErrorBody, "description": "Not in this workspace"},
    422: {"model": ErrorBody, "description": "Something in the request is wrong"},
}


def install(app: FastAPI) -> None:
    app.exception_handler(AppError)(_on_app_error)
    app.exception_handler(RequestValidationError)(_on_invalid_request)
    app.exception_handler(HTTPException)(_on_http_error)


def crash(request: Request) -> Response:
    """The answer to a mistake of ours, whose traceback is in the log under the request's id."""
    return answer(request, AppError("Something went wrong on our side.", remedy="Tell your operator the request id."))


def answer(request: Request, error: AppError) -> Response:
    """`error` in the form that the caller reads."""
    if request.url.path.startswith("/api/"):
        response: Response = JSONResponse(_problem(request, error).model_dump(), error.status)
    elif isinstance(error, Unauthenticated) and request.method in ("GET", "HEAD") and not _wants_stream(request):
        return _to_sign_in(request)
    else:
        response = request.app.state.pages.error(request, error)
    if error.status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if error.status == 401 and request.url.path.startswith("/api/"):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _problem(request: Request, error: AppError) -> ErrorBody:
    return ErrorBody(
        error=Problem(
            message=error.message,
            field=error.field,
            remedy=error.remedy,
            request_id=request.state.request_id,
            errors=error.errors if isinstance(error, InvalidForm) else {},
        )
    )


def _wants_stream(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


def _to_sign_in(request: Request) -> Response:
    """Signing in, and then back here; htmx is told to leave the page rather than to show the form inside of it."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if not wants_fragment(request):
        return RedirectResponse("/signin?" + urlencode({"next": here}), 303)
    return Response(status_code=401, headers={"HX-Redirect": "/signin"})


def _on_app_error(request: Request, error: AppError) -> Response:
    if error.status >= 500:
        _log.error("request %s: %s", request.state.request_id, error, exc_info=error)
    actor = getattr(request.state, "actor", None)
    if actor is not None and isinstance(error, Forbidden | NotFound):
        try:
            with unit_of_work() as session:
                audit.record(session, actor, "access.denied", f"{request.method} {request.url.path}"[:500])
        except AppError as trouble:
            _log.error("request %s: the denial could not be recorded: %s", request.state.request_id, trouble)
    return answer(request, error)


def _on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    found: dict[str, str] = {}
    for item in error.errors():
        place, *path = item["loc"]
        if place == "path":  # an id that is none: there is nothing at this address
            return answer(request, NotFound("There is nothing at this address."))
        if item["type"] == "json_invalid":
            path = []  # what stands there is no field, but how far the body could be read
        message = "This must be a file." if _is_no_file(item) else words(item)
        found.setdefault(".".join(map(str, path)) or str(place), message)
    return answer(request, InvalidForm(found))


def _is_no_file(item: dict[str, Any]) -> bool:
    """Whether a text came where a form wants a file: FastAPI's own rule, which tells of its classes."""
    return item["type"] == "value_error" and "Expected UploadFile" in item["msg"]


def _on_http_error(request: Request, error: HTTPException) -> Response:
    """What the framework refuses by itself: unknown addresses, methods, bodies that can't be read."""
    if error.status_code == 404:
        return answer(request, NotFound("There is nothing at this address."))
    if error.status_code == 400:
        detail = error.detail
        if detail.startswith(("Too many", "Part exceeded", "Field exceeded")):
            return answer(request, TooLarge(detail, remedy="Send less at once; large texts belong into a file."))
        return answer(request, InvalidInput("The request could not be read.", field="body", remedy=detail))
    if error.status_code == 503:
        return answer(request, Unavailable(error.detail))
    named = _BY_STATUS.get(error.status_code, AppError)(error.detail or HTTPStatus(error.status_code).phrase)
    named.status = error.status_code
    response = answer(request, named)
    response.headers.update(error.headers or {})
    return response
