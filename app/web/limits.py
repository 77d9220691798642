"""Bounds on what a request may bring. FastAPI's own answers in plain text; this one is an error like any other."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MB = 1_000_000
PLAIN_MB = 8  # JSON and simple forms are read into memory; uploads go through files on disk


class BodyLimit:
    """ASGI middleware: a body beyond the limit raises HTTPException 413 in whoever reads it, with nothing kept."""

    def __init__(self, app: ASGIApp, upload_mb: int) -> None:
        self.app = app
        self.upload_mb = upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").startswith("multipart/form-data")
        limit_mb = self.upload_mb + 1 if is_upload else PLAIN_MB
        announced = headers.get("content-length", "0")
        received = 0

        async def receive_up_to_limit() -> Message:
            nonlocal received
            if announced.isdigit() and int(announced) > limit_mb * MB:
                raise _too_large(limit_mb)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit_mb * MB:
                raise _too_large(limit_mb)
            return message

        await self.app(scope, receive_up_to_limit, send)


def _too_large(limit_mb: int) -> HTTPException:
    return HTTPException(413, f"A request of this kind may bring {limit_mb} MB at most.")
