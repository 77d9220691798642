"""What routes ask for: the unit of work, who acts, and the renderer of pages.

`Member` and `ApiActor` are the only ways to an Actor, so that no route acts for anybody unchecked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.db import CONNECTIONS, Session, unit_of_work
from app.domain.actor import Actor, Role
from app.errors import Forbidden, Unauthenticated
from app.features.accounts import service as accounts
from app.features.accounts.schemas import SignedIn, TokenHolder
from app.web import csrf
from app.web.render import Pages, Viewer

SESSION_COOKIE = "cairn_session"
COOKIE_AGE_S = 365 * 86_400  # longer than any session: its row decides when it is over
BIGGEST_ID = 2**63 - 1
BIGGEST_NUMBER = 2**31 - 1

Id = Annotated[int, Path(ge=1, le=BIGGEST_ID)]
"""A row's id in an address; anything that can't be one is answered by 404."""

Number = Annotated[int, Path(ge=1, le=BIGGEST_NUMBER)]
"""The number of a curriculum's version, likewise."""


# Connections left to what is no request's unit of work: event streams, health, metrics, refusals put on record.
_LEFT = 4


async def _typed(request: Request) -> AsyncIterator[FormData]:
    """Empty where nobody can be signed in, or no form is to be brought: what strangers send is not even read."""
    if request.method in csrf.SAFE_METHODS or SESSION_COOKIE not in request.cookies:
        yield FormData()
        return
    try:
        typed = await request.form()
    except ClientDisconnect as gone:
        raise HTTPException(400, "The form ended before its end.") from gone
    try:
        yield typed
    finally:
        await typed.close()


Typed = Annotated[FormData, Depends(_typed)]
"""A form whose fields only its page can tell; others are declared with `Form`."""


def _work(_: Typed) -> Iterator[Session]:
    """Begins once the form is there: whoever sends it slowly holds no connection to the database."""
    with unit_of_work() as session:
        yield session


# Who waits for a connection must hold no thread: a request that has a connection needs one to go on.
Work = Annotated[Session, Depends(_work, scope="function", max_concurrency=CONNECTIONS - _LEFT)]
"""The transaction of this request: committed when the route is done, before the answer leaves."""


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


PagesDep = Annotated[Pages, Depends(_pages)]
"""Renders templates: `pages.render(request, "runs/page.html", RunsPage(...), block="rows")`."""


def _session_of(request: Request, work: Work) -> SignedIn | None:
    secret = request.cookies.get(SESSION_COOKIE)
    found = accounts.resolve_session(work, secret) if secret else None
    if found is not None:
        request.state.csrf = found.csrf
        request.state.viewer = Viewer(found.actor.name, found.workspace)
    return found


async def _checked(request: Request, found: Annotated[SignedIn | None, Depends(_session_of)]) -> SignedIn | None:
    if found is not None:
        await csrf.check(request, found.csrf)
    return found


Browser = Annotated[SignedIn | None, Depends(_checked)]
"""The session of this browser, if it has one; a change without the session's CSRF token is refused."""


def _signed_in(request: Request, browser: Browser) -> SignedIn:
    if browser is None:
        raise Unauthenticated("Sign in first.", remedy="Run `cairn signin` where Cairn runs: it prints a link.")
    request.state.actor = browser.actor
    return browser


SignedInBrowser = Annotated[SignedIn, Depends(_signed_in)]
"""Like `Member`, with the session itself: for the pages that speak of it."""


def _member(browser: SignedInBrowser) -> Actor:
    return browser.actor


Member = Annotated[Actor, Depends(_member)]
"""Who is signed in. Others are sent to /signin and come back."""

_bearer = HTTPBearer(auto_error=False, description="An API token, made under Settings.")


def _token_holder(
    work: Work, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> TokenHolder | None:
    if credentials is None:
        return None
    holder = accounts.resolve_api_token(work, credentials.credentials)
    if holder is None:
        raise Unauthenticated(
            "This API token is not valid.",
            remedy="It may have expired or been revoked; make a new one under /settings.",
        )
    return holder


async def _api_actor(
    request: Request,
    holder: Annotated[TokenHolder | None, Depends(_token_holder)],
    found: Annotated[SignedIn | None, Depends(_session_of)],
) -> Actor:
    if holder is not None:
        actor = holder.actor
    elif found is not None:
        await csrf.check(request, found.csrf)
        actor = found.actor
    else:
        raise Unauthenticated(
            "No credentials were sent.", remedy="Send `Authorization: Bearer TOKEN`; make a token under /settings."
        )
    request.state.actor = actor
    if request.method not in csrf.SAFE_METHODS:
        actor.require(Role.MEMBER)
        if holder is not None and holder.scope != "write":
            raise Forbidden("This token may only read.", remedy="Make one with the scope write under /settings.")
    return actor


ApiActor = Annotated[Actor, Depends(_api_actor)]
"""Who calls the API: by token, or by session with its CSRF token. Changes need the scope write and the role member."""
