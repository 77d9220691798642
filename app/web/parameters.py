"""A query string says what a page shows: a word in it that no route knows is an error, not silence."""

from __future__ import annotations

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from app.errors import InvalidForm


def refuse_unknown(request: Request) -> None:
    """A dependency of every route. Raises InvalidForm with one message per unknown name."""
    if not request.query_params:
        return
    known = _known(request.scope["route"])
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        choice = f"Known here: {', '.join(sorted(known))}." if known else "None is known here."
        raise InvalidForm(dict.fromkeys(unknown, f"There is no such parameter. {choice}"))


def _known(route: APIRoute) -> frozenset[str]:
    """The query parameters of a route and its dependencies; of a model, its fields."""
    elsewhere = (params.Path, params.Header, params.Cookie)
    found = get_flat_params(route.dependant)
    return frozenset(field.alias for field in found if not isinstance(field.field_info, elsewhere))
