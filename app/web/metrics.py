"""What Prometheus reads: the whole installation, from the database at the moment of the scrape, and this process.

It names runs that are not over and hosts of model servers, but no workspace, person or text. To be read from elsewhere
it takes the token of CAIRN_METRICS_TOKEN.
"""

from __future__ import annotations

import ipaddress
import secrets

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response

from app.config import settings
from app.web.exposition import Installed

router = APIRouter(include_in_schema=False)

# A proxy on this machine names whom it speaks for in one of these.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

_registry = CollectorRegistry()
_registry.register(Installed())
ProcessCollector(registry=_registry)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """404 to others where no token is set, 401 where it is another one."""
    token = settings().metrics_token
    # With a token nobody is let in without it: a proxy on this machine may not say that it speaks for others.
    if not (_brings(request, token.get_secret_value()) if token else _is_local(request)):
        if token is None:
            return PlainTextResponse("Set CAIRN_METRICS_TOKEN to read this from another machine.\n", 404)
        return PlainTextResponse(
            "Send `Authorization: Bearer` and the token of CAIRN_METRICS_TOKEN.\n",
            401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(_registry), media_type=media_type, headers={"Cache-Control": "no-store"})


def _is_local(request: Request) -> bool:
    """Asked by this machine under a name of its own, and for nobody else."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    return _is_loopback(request.client.host) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _brings(request: Request, token: str) -> bool:
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(brought.strip().encode(), token.encode())
