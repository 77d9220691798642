"""Every request has an id, in its answer, its error page and the log; no error leaves without an answer."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_LINK = re.compile("(/signin/)[^?/ ]+")
_log = logging.getLogger(__name__)


class RequestIds:
    """ASGI middleware. `on_crash` makes the answer to an error that nobody expected; its traceback is logged."""

    def __init__(self, app: ASGIApp, on_crash: Callable[[Request], Response]) -> None:
        self.app = app
        self.on_crash = on_crash

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            # The outermost place that can still answer: a mistake of ours must give a page with an id, not a cut
            # connection, and its traceback belongs in the log and nowhere else.
            _log.exception("request %s %s %s failed", request_id, scope["method"], scope["path"])
            if started:
                raise
            response = await run_in_threadpool(self.on_crash, Request(scope, receive))
            await response(scope, receive, send_with_id)


class MaskLinks(logging.Filter):
    """Keeps the tokens of one-time links out of the log of requests, where each address is written down."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_LINK.sub(r"\1...", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True
