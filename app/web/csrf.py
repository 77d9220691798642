"""The token in every form of a signed-in browser: a second lock beside the check of where a change comes from.

A route that acts with the authority of a session depends on `app.web.deps.Member`, and so on this check. Templates
write `{{ ui.csrf() }}` in each form that posts.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.requests import Request

from app.errors import Forbidden

FIELD = "csrf"
HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_shown: ContextVar[str] = ContextVar("csrf_token", default="")


class ShownToken:
    """`csrf_token` in templates and macros: the token of the page being rendered."""

    def __str__(self) -> str:
        return _shown.get()


@contextmanager
def showing(request: Request) -> Iterator[None]:
    """While a page is rendered for `request`, its forms get the token of its session; without one, an empty field."""
    before = _shown.set(getattr(request.state, "csrf", ""))
    try:
        yield
    finally:
        _shown.reset(before)


async def check(request: Request, expected: str) -> None:
    """Raises Forbidden for a change that does not bring the session's token in its form or its header."""
    if request.method in SAFE_METHODS:
        return
    brought = request.headers.get(HEADER) or (await request.form()).get(FIELD)
    if not isinstance(brought, str) or not hmac.compare_digest(brought.encode("utf-8", "replace"), expected.encode()):
        raise Forbidden(
            "This form was made for another session.",
            field=FIELD,
            remedy="Reload the page and send it again; programs use an API token.",
        )
