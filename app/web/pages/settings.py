"""One's own settings: name, display, API tokens, and the browsers that are signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.db import Session
from app.domain.actor import Role
from app.errors import InvalidForm, InvalidInput
from app.features.accounts import queries, service
from app.features.accounts.schemas import Scope, SessionRow, SignedIn, TokenRow
from app.web.deps import Id, Member, PagesDep, SignedInBrowser, Work
from app.web.render import redirect

NAV = None
router = APIRouter(prefix="/settings")


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """The context of settings/page.html. `new_token` is shown this once."""

    name: str
    email: str
    role: str
    may_write: bool
    tokens: Sequence[TokenRow]
    sessions: Sequence[SessionRow]
    values: Mapping[str, object]
    errors: Mapping[str, str] = field(default_factory=dict)
    new_token: str = ""


@router.get("")
def settings(request: Request, work: Work, browser: SignedInBrowser, pages: PagesDep) -> Response:
    return pages.render(request, "settings/page.html", _page(work, browser))


@router.post("/profile")
def rename(
    request: Request, work: Work, browser: SignedInBrowser, pages: PagesDep, name: Annotated[str, Form()] = ""
) -> Response:
    try:
        service.rename(work, browser.actor, name)
    except InvalidInput as error:
        context = _page(work, browser, {"name": name}, {"name": error.message})
        return pages.render(request, "settings/page.html", context, status=error.status)
    return redirect("/settings", flash="Your name is changed.")


@router.post("/tokens")
def create_token(
    request: Request,
    work: Work,
    browser: SignedInBrowser,
    pages: PagesDep,
    token_name: Annotated[str, Form()] = "",
    scope: Annotated[Scope, Form()] = "read",
    days: Annotated[str, Form()] = "90",
) -> Response:
    """Answered by the page itself rather than by 303: the token can be shown this once only."""
    try:
        if not days.strip().isdecimal():
            raise InvalidInput("Write a number of days.", field="days")
        token = service.create_api_token(work, browser.actor, token_name, scope, int(days[:6]))
    except InvalidInput as error:
        names = {"name": "token_name"}
        errors = error.errors if isinstance(error, InvalidForm) else {error.field or "": error.message}
        at_fields = {names.get(name, name): message for name, message in errors.items()}
        typed = {"token_name": token_name, "scope": scope, "days": days}
        return pages.render(request, "settings/page.html", _page(work, browser, typed, at_fields), status=error.status)
    response = pages.render(request, "settings/page.html", _page(work, browser, new_token=token))
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/tokens/{token_id}/revoke")
def revoke_token(work: Work, member: Member, token_id: Id) -> Response:
    service.revoke_api_token(work, member, token_id)
    return redirect("/settings", flash="The token is revoked.")


@router.post("/sessions/{key}/revoke")
def close_session(work: Work, member: Member, key: str) -> Response:
    service.close_session(work, member, key)
    return redirect("/settings", flash="That browser is signed out.")


def _page(
    work: Session,
    browser: SignedIn,
    typed: Mapping[str, object] | None = None,
    errors: Mapping[str, str] | None = None,
    new_token: str = "",
) -> SettingsPage:
    actor = browser.actor
    work.flush()
    values = {"name": actor.name, "token_name": "", "scope": "read", "days": 90} | dict(typed or {})
    return SettingsPage(
        name=actor.name,
        email=browser.email,
        role=actor.role.value,
        may_write=actor.role is not Role.VIEWER,
        tokens=queries.tokens(work, actor),
        sessions=queries.sessions(work, actor, browser.digest),
        values=values,
        errors=errors or {},
        new_token=new_token,
    )
