"""What a load balancer or an operator asks: is the process alive, and can it serve."""

from __future__ import annotations

import redis
from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app import events
from app.db import unit_of_work
from app.errors import AppError
from app.features.accounts import queries

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def alive() -> Response:
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready() -> Response:
    """200 where pages can be served. Without its broker the application goes on, more slowly: that is only told."""
    database, broker = _database(), _broker()
    return JSONResponse({"database": database, "broker": broker}, 200 if database == "ok" else 503)


def _database() -> str:
    try:
        with unit_of_work() as session:
            queries.count_workspaces(session)
    except AppError as error:
        return error.message
    return "ok"


def _broker() -> str:
    try:
        events.ping()
    except (redis.RedisError, ValueError) as error:
        return f"The broker can't be reached ({type(error).__name__})."
    return "ok"
