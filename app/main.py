"""The web application: everything found under app/web is mounted here, and nothing is listed twice."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from app.config import settings
from app.web import api, errors, health, metrics, pages
from app.web.limits import BodyLimit
from app.web.live import Nudges
from app.web.navigation import find_pages, navigation
from app.web.parameters import refuse_unknown
from app.web.render import Pages
from app.web.requests import MaskLinks, RequestIds
from app.web.security import SecurityHeaders

API = "/api/v1"


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Nudges() as app.state.nudges:
        yield


def create_app() -> FastAPI:
    """Raises TypeError or ValueError for a page or API module that breaks the protocol of its folder."""
    config = settings()
    logging.getLogger("uvicorn.access").addFilter(MaskLinks())
    app = FastAPI(
        title="Cairn",
        version="1",
        lifespan=_lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(RequestIds, on_crash=errors.crash),
            Middleware(BodyLimit, upload_mb=config.max_upload_mb),
        ],
    )
    found = find_pages(pages)
    app.state.pages = Pages(navigation(found), reload=config.debug)
    errors.install(app)
    app.mount("/static", app.state.pages.assets.app())
    app.include_router(health.router)
    app.include_router(metrics.router)
    strict = [Depends(refuse_unknown)]
    for page in found:
        app.include_router(page.router, include_in_schema=False, dependencies=strict)
    for router in find_api(api):
        app.include_router(router, prefix=API, dependencies=strict, responses=errors.RESPONSES)
    return app


def find_api(package: ModuleType) -> list[APIRouter]:
    """The router of every module of `package`. Raises TypeError for a module without one."""
    found = []
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        router = getattr(importlib.import_module(info.name), "router", None)
        if not isinstance(router, APIRouter):
            raise TypeError(f"{info.name} needs a `router`: an APIRouter")
        found.append(router)
    return found


app = create_app()
