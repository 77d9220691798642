"""The token in every form of a signed-in browser: a second lock beside the check of where a change comes from.

A route that acts with the authority of a session depends on `app.web.deps.Member`, and so on this check. Templates
write `{{ ui.csrf() }}` in each form that posts. Pages are sent compressed, so each shows the token under a mask of its
own: repeated in the clear, it could be guessed from their sizes (BREACH).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
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
    token = getattr(request.state, "csrf", "")
    before = _shown.set(_masked(token) if token else "")
    try:
        yield
    finally:
        _shown.reset(before)


async def check(request: Request, expected: str) -> None:
    """Raises Forbidden for a change that does not bring the session's token in its form or its header."""
    if request.method in SAFE_METHODS:
        return
    brought = request.headers.get(HEADER) or (await request.form()).get(FIELD)
    if not isinstance(brought, str) or not hmac.compare_digest(_unmasked(brought), expected.encode()):
        raise Forbidden(
            "This form was made for another session.",
            field=FIELD,
            remedy="Reload the page and send it again; programs use an API token.",
        )


def _masked(token: str) -> str:
    mask = secrets.token_bytes(len(token.encode()))
    return base64.urlsafe_b64encode(mask + _xor(mask, token.encode())).decode()


def _unmasked(shown: str) -> bytes:
    """The token behind what a page showed; nothing that is a token for anything else."""
    try:
        both = base64.urlsafe_b64decode(shown.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return b""
    half = len(both) // 2
    return _xor(both[:half], both[half:]) if len(both) == 2 * half else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
