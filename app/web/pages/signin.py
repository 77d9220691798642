"""Signing in by a one-time link, and signing out.

Opening the link only shows a button; pressing it uses the link up. So a program that looks at links before people do
(a chat's preview, a mail scanner) does not burn it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.config import settings
from app.errors import InvalidInput
from app.features.accounts import service as accounts
from app.web.deps import COOKIE_AGE_S, SESSION_COOKIE, Browser, PagesDep, Work
from app.web.render import local_path, redirect
from app.web.throttle import Throttle

NAV = None
router = APIRouter()

_throttle = Throttle(failures=10, period_s=60)
_Next = Annotated[str, Query(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The context of signin/page.html. With `token` it shows the button that uses the link, else the field for one."""

    next: str
    token: str = ""
    error: str = ""
    remedy: str = ""


@router.get("/signin")
def ask(request: Request, pages: PagesDep, browser: Browser, next: _Next = "/") -> Response:
    if browser is not None:
        return RedirectResponse(local_path(next), 303)
    return pages.render(request, "signin/page.html", SignInPage(local_path(next)))


@router.post("/signin")
def take(link: Annotated[str, Form(max_length=2_000)] = "", next: Annotated[str, Form()] = "/") -> Response:
    """Takes a pasted link, or its token alone, to the button."""
    path = re.split("[?#]", link.strip(), maxsplit=1)[0]
    token = path.rpartition("/")[2] or "-"
    return RedirectResponse(f"/signin/{quote(token, safe='')}?next={quote(local_path(next))}", 303)


@router.get("/signin/{token}")
def show(request: Request, pages: PagesDep, token: str, next: _Next = "/") -> Response:
    return pages.render(request, "signin/page.html", SignInPage(local_path(next), token))


@router.post("/signin/{token}")
def consume(request: Request, pages: PagesDep, work: Work, token: str, next: Annotated[str, Form()] = "/") -> Response:
    caller = request.client.host if request.client else ""
    _throttle.check(caller)
    try:
        secret = accounts.sign_in(
            work,
            token,
            browser=request.headers.get("user-agent", ""),
            previous=request.cookies.get(SESSION_COOKIE, ""),
        )
    except InvalidInput as error:
        _throttle.failed(caller)
        page = SignInPage(local_path(next), error=error.message, remedy=error.remedy)
        return pages.render(request, "signin/page.html", page, status=error.status)
    response = RedirectResponse(local_path(next), 303)
    response.set_cookie(SESSION_COOKIE, secret, max_age=COOKIE_AGE_S, **_cookie_flags())
    return response


@router.post("/signout")
def sign_out(work: Work, browser: Browser) -> Response:
    if browser is not None:
        accounts.sign_out(work, browser)
    response = redirect("/signin", flash="You are signed out.")
    response.delete_cookie(SESSION_COOKIE, **_cookie_flags())
    return response


def _cookie_flags() -> dict[str, Any]:
    """Not readable by scripts, not sent along by other sites."""
    return {"httponly": True, "samesite": "lax", "secure": settings().secure_cookies, "path": "/"}
