"""The choice of theme: a small form, so that it works without JavaScript."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.web.render import THEME_COOKIE, local_path

NAV = None
router = APIRouter()


@router.post("/appearance")
def choose_theme(
    theme: Annotated[Literal["system", "light", "dark"], Form()], back: Annotated[str, Form()] = "/"
) -> Response:
    response = RedirectResponse(local_path(back), 303)
    response.set_cookie(THEME_COOKIE, theme, max_age=365 * 86_400, samesite="lax", httponly=True)
    return response
