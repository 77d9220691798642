"""HTTP/1.1 to one model server: whole bodies both ways, over connections that are kept.

The messages are read by llhttp (httptools); connections are made as aiohttp makes them. Sessions, cookies, streams and
the like, of which asking a model needs none, would cost a lane a sixth of its processor time.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools

from app.engines._openai import reach

_CONNECT_S = 10.0
# Most servers close a connection that is idle for 5 s (uvicorn's default): a request sent at that moment would be lost.
_KEEP_ALIVE_S = 4.0
_ADDRESSES_KEPT_S = 10.0
# After so long without an answer, the second of a name's addresses is tried as well (RFC 8305, section 8).
_NEXT_ADDRESS_S = 0.25
_GZIP = 16 + zlib.MAX_WBITS


class Unreachable(Exception):
    """No connection could be made; `final` where asking again would change nothing."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Disconnected(Exception):
    """The connection broke, or carried something else than HTTP."""


class TooLarge(Exception):
    """The answer has more bytes than it may have, head and all."""


class Response(NamedTuple):
    status: int
    body: bytes
    retry_after: str


class Client:
    """As many connections to the server at `url` as there are requests at once."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """`timeout_s` is for a whole request, where it says nothing else."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._ssl = _verifying() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._ssl else 80)
        self._host_header = f"Host: {parts.netloc}\r\nUser-Agent: Cairn\r\nAccept-Encoding: gzip\r\n"
        self._timeout_s = timeout_s
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        self._looking_up = asyncio.Lock()
        self._addresses: list[reach.AddressInfo] = []
        self._addresses_until = 0.0

    async def get(self, path: str, most: int, timeout_s: float | None = None) -> Response:
        """As `post`."""
        head = f"GET {path} HTTP/1.1\r\n{self._host_header}\r\n"
        return await self._ask(head.encode(), most, timeout_s)

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str], most: int, timeout_s: float | None = None
    ) -> Response:
        """The answer, of `most` bytes, whatever its status: a redirect is not followed.

        Raises Unreachable, Disconnected, TooLarge, or TimeoutError.
        """
        further = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = f"POST {path} HTTP/1.1\r\n{self._host_header}{further}{length}\r\n"
        return await self._ask(head.encode() + body, most, timeout_s)

    async def _ask(self, request: bytes, most: int, timeout_s: float | None) -> Response:
        async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s):
            connection = self._rested() or await self._connect()
            try:
                return await connection.ask(request, most)
            finally:
                self._give_back(connection)

    def _rested(self) -> _Connection | None:
        """The one that was used last, of those that the server will not close at any moment."""
        oldest = asyncio.get_running_loop().time() - _KEEP_ALIVE_S
        while self._idle and self._idle[0].since < oldest:
            self._idle.popleft().abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    def _give_back(self, connection: _Connection) -> None:
        if connection.reusable:
            connection.since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(_CONNECT_S) as limit:
                return await self._connected()
        except TimeoutError as error:
            if not limit.expired():
                raise Unreachable(str(error) or "the connection timed out") from error
            raise Unreachable(f"no connection within {_CONNECT_S:g} s") from error
        except OSError as error:
            # PermissionError: see reach.py.
            raise Unreachable(error.strerror or str(error), final=isinstance(error, PermissionError)) from error

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        opened = await aiohappyeyeballs.start_connection(
            await self._resolved(),
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
            interleave=1,
            loop=loop,
            socket_factory=reach.open_socket,
        )
        name = self._host if self._ssl else None
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self._open), sock=opened, ssl=self._ssl, server_hostname=name
            )
        except BaseException:
            opened.close()
            raise
        return connection

    async def _resolved(self) -> list[reach.AddressInfo]:
        """Looked up by one for all that connect at once."""
        loop = asyncio.get_running_loop()
        async with self._looking_up:
            if loop.time() > self._addresses_until:
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._addresses = cast("list[reach.AddressInfo]", found)
                self._addresses_until = loop.time() + _ADDRESSES_KEPT_S
            return self._addresses

    async def close(self) -> None:
        ending = [connection.lost for connection in self._open]
        for connection in self._open:
            connection.abort()
        await asyncio.gather(*ending)


class _Connection(asyncio.Protocol):
    """One request at a time, and its answer."""

    _transport: asyncio.Transport

    def __init__(self, open_ones: set[_Connection]) -> None:
        self.since = 0.0  # when it was used last
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open_ones = open_ones
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Response] | None = None  # to what was asked last
        self._most = 0
        self._spoilt = False  # of no use for a further request
        self._begin()

    def _begin(self) -> None:
        self._received = 0
        self._parts: list[bytes] = []
        self._retry_after = ""
        self._zipped = False
        self._sized = False  # the head says where the body ends
        self._in_body = False

    @property
    def reusable(self) -> bool:
        return not self._spoilt and not self._transport.is_closing()

    async def ask(self, request: bytes, most: int) -> Response:
        """Raises Disconnected or TooLarge. It is spoilt where that, or a cancellation, ends it in the middle."""
        if self._transport.is_closing():
            raise Disconnected("the server closed it at once")
        self._most = most
        self._begin()
        self._spoilt = True  # until all of the answer is there
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open_ones.add(self)
        opened: socket.socket = transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self._spoil()  # what nobody asked for must not answer the next request
            return
        self._received += len(data)
        if self._received > self._most:
            self._fail(TooLarge())
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(Disconnected(f"no HTTP came back: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        known = name.lower()
        if known in {b"content-length", b"transfer-encoding"}:
            self._sized = True
        elif known == b"content-encoding":
            self._zipped = value.lower() in {b"gzip", b"x-gzip"}
        elif known == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # the answer is still to come
            self._begin()
            return
        rest = self._transport.get_write_buffer_size()
        self._spoilt = bool(rest) or not self._parser.should_keep_alive()
        self._tell(status)

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self._spoil()

    def _tell(self, status: int) -> None:
        body, self._parts = b"".join(self._parts), []
        if self._zipped and body:
            try:
                inflated = zlib.decompressobj(_GZIP)
                body = inflated.decompress(body, self._most + 1)
            except zlib.error as error:
                self._fail(Disconnected(f"what came back can't be unpacked: {error}"))
                return
            if len(body) > self._most:
                self._fail(TooLarge())
                return
            if not inflated.eof:
                self._fail(Disconnected("what came back ends in the middle"))
                return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Response(status, body, self._retry_after))

    def connection_lost(self, error: Exception | None) -> None:
        self._open_ones.discard(self)
        self.lost.set_result(None)
        if error is None and self._in_body and not self._sized:
            self._tell(self._parser.get_status_code())  # the end of the connection is that of the body
        self._fail(Disconnected(str(error or "") or "the server closed it"))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._spoil()

    def _spoil(self) -> None:
        self._spoilt = True
        self._transport.abort()


def _verifying() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@asynccontextmanager
async def opened(url: str, timeout_s: float) -> AsyncIterator[Client]:
    client = Client(url, timeout_s)
    try:
        yield client
    finally:
        await client.close()
