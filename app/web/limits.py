"""Bounds on what a request may bring. FastAPI's own answers in plain text; this one is an error like any other."""

from __future__ import annotations

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MB = 1_000_000
PLAIN_MB = 8  # JSON and simple forms are read into memory; uploads go through files on disk


class BodyLimit:
    """ASGI middleware: a body beyond the limit raises HTTPException 413 in whoever reads it, with nothing kept.

    So does 415 a form in another encoding than UTF-8, by which its reader would make texts that are none.
    """

    def __init__(self, app: ASGIApp, upload_mb: int) -> None:
        self.app = app
        self.upload_mb = upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind, options = parse_options_header(headers.get("content-type"))
        is_upload, charset = kind == b"multipart/form-data", options.get(b"charset", b"utf-8")
        limit_mb = self.upload_mb + 1 if is_upload else PLAIN_MB
        announced = headers.get("content-length", "0")
        received = 0

        async def receive_up_to_limit() -> Message:
            nonlocal received
            if announced.isdigit() and int(announced) > limit_mb * MB:
                raise _too_large(limit_mb)
            if charset.lower() != b"utf-8":
                raise HTTPException(415, "A form must be in UTF-8.")
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit_mb * MB:
                raise _too_large(limit_mb)
            return message

        await self.app(scope, receive_up_to_limit, send)


def _too_large(limit_mb: int) -> HTTPException:
    return HTTPException(413, f"A request of this kind may bring {limit_mb} MB at most.")
