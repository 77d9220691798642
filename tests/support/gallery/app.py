"""The gallery as an application of its own: the real templates, style sheet, script and headers, no database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Form, Request
from starlette.middleware import Middleware
from starlette.responses import Response

from app.errors import InvalidInput, Unavailable
from app.web.navigation import NavItem
from app.web.pages import appearance
from app.web.render import TEMPLATES, Pages, Viewer, redirect
from app.web.security import SecurityHeaders
from tests.support.gallery.content import Dense, Gallery

NAV = (
    NavItem("Runs", "/_gallery", "r", 1),
    NavItem("Review", "/review", "q", 2),
    NavItem("Curricula", "/curricula", "c", 4),
    NavItem("Analytics", "/analytics", "a", 5),
    NavItem("Seeds", "/seeds", "s", 6),
)


def create_app() -> FastAPI:
    app = FastAPI(middleware=[Middleware(SecurityHeaders)])
    pages = Pages(NAV, templates=(TEMPLATES, Path(__file__).parent / "templates"), reload=True)
    app.mount("/static", pages.assets.app())
    app.include_router(appearance.router)

    @app.get("/_gallery")
    def gallery(request: Request) -> Response:
        request.state.viewer = Viewer("Ada Quill", "Foundations")
        return pages.render(request, "gallery/page.html", Gallery(), block="rows")

    @app.get("/_gallery/dense")
    def dense(request: Request) -> Response:
        return pages.render(request, "gallery/dense.html", Dense())

    @app.get("/_gallery/unavailable")
    def unavailable(request: Request) -> Response:
        request.state.request_id = "01k4m2v9"
        return pages.error(request, Unavailable("The database does not answer.", remedy="Try again in a minute."))

    @app.get("/_gallery/refused")
    def refused(request: Request) -> Response:
        request.state.request_id = "01k4m2v9"
        return pages.error(
            request, InvalidInput("must lie between 1 and 512", field="attempts", remedy="The paper: 32.")
        )

    @app.post("/_gallery")
    def change(text: Annotated[str, Form()] = "Approved 3 variants.") -> Response:
        return redirect("/_gallery", flash=text)

    return app
