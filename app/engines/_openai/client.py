"""HTTP/1.1 to one model server: whole bodies both ways, over connections that are kept.

Messages are read by llhttp (httptools). Sessions, cookies, streams and the like, of which asking a model needs none,
cost a lane a twelfth of its processor time.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from app.engines._openai.dialling import Dialler

# Most servers close a connection that is idle for 5 s (uvicorn's default): a request sent at that moment would be lost.
_KEEP_ALIVE_S = 4.0
_MOST_BESIDE = 1 << 16  # bytes that are no body: heads, trailers
_GZIP = 16 + zlib.MAX_WBITS
_MEMBERS = 64  # of a zipped body, which has one nearly always


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
        self._dialler = Dialler(url)
        self._common = f"Host: {urlsplit(url).netloc}\r\nUser-Agent: Cairn\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
        self._timeout_s = timeout_s
        self._idle: deque[_Connection] = deque()  # what was used last comes last
        self._sweeping: asyncio.TimerHandle | None = None
        self._open: set[_Connection] = set()
        self._closed = False

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str], most: int, timeout_s: float | None = None
    ) -> Response:
        """The answer, of `most` bytes, whatever its status: a redirect is not followed.

        Raises Unreachable, Disconnected, TooLarge, or TimeoutError.
        """
        further = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = f"POST {path} HTTP/1.1\r\n{self._common}{further}{length}\r\n"
        return await self._ask(head.encode() + body, most, timeout_s)

    async def get(self, path: str, most: int, timeout_s: float | None = None) -> Response:
        """As `post`."""
        return await self._ask(f"GET {path} HTTP/1.1\r\n{self._common}\r\n".encode(), most, timeout_s)

    async def _ask(self, request: bytes, most: int, timeout_s: float | None) -> Response:
        async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s):
            connection = self._rested() or await self._dialler.dial(lambda: _Connection(self._open))
            try:
                if self._closed:
                    raise Disconnected("it was closed")
                return await connection.ask(request, most)
            finally:
                self._give_back(connection)

    def _rested(self) -> _Connection | None:
        oldest = asyncio.get_running_loop().time() - _KEEP_ALIVE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.since > oldest:
                return connection
            connection.abort()
        return None

    def _give_back(self, connection: _Connection) -> None:
        if self._closed or not connection.reusable:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.since = loop.time()
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(_KEEP_ALIVE_S, self._sweep)

    def _sweep(self) -> None:
        """Closes what has rested too long."""
        loop = asyncio.get_running_loop()
        while self._idle and self._idle[0].since + _KEEP_ALIVE_S <= loop.time():
            self._idle.popleft().abort()
        left = self._idle[0].since + _KEEP_ALIVE_S if self._idle else None
        self._sweeping = loop.call_at(left, self._sweep) if left else None

    async def close(self) -> None:
        """Who waits for an answer hears that the connection broke."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._idle.clear()
        ending = [connection.lost for connection in self._open]
        for connection in self._open:
            connection.abort()
        if ending:
            await asyncio.wait(ending)


class _Connection(asyncio.Protocol):
    """One request at a time, and its answer."""

    _transport: asyncio.Transport

    def __init__(self, open_ones: set[_Connection]) -> None:
        self.since = 0.0  # when it was used last
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open_ones = open_ones
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Response] | None = None  # to what was asked last
        self._spoilt = False  # of no use for a further request
        self._most = self._received = self._beside = 0  # bytes; beside bodies
        self._begin()

    def _begin(self) -> None:
        self._body = bytearray()
        self._in_body = False
        self._sized = False  # the head says where the body ends
        self._zipped = False
        self._retry_after = ""

    @property
    def reusable(self) -> bool:
        return not self._spoilt and not self._transport.is_closing()

    async def ask(self, request: bytes, most: int) -> Response:
        """Raises Disconnected or TooLarge. It is spoilt where that, or a cancellation, ends it in the middle."""
        if self._transport.is_closing():
            raise Disconnected("the server closed it at once")
        self._spoilt = True  # until all of the answer is there
        self._most, self._received, self._beside = most, 0, 0
        self._begin()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def abort(self) -> None:
        self._spoilt = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open_ones.add(self)
        opened: socket.socket = transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def _asked(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def data_received(self, data: bytes) -> None:
        if not self._asked:
            self.abort()  # what nobody asked for must not answer the next request
            return
        self._received += len(data)
        if self._received > self._most:
            self._fail(TooLarge())
            return
        before = len(self._body)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Disconnected("another protocol came back"))
        except httptools.HttpParserError as error:
            self._fail(Disconnected(f"no HTTP came back: {error}"))
        if self._asked and len(self._body) == before:
            self._beside += len(data)
            if self._beside > _MOST_BESIDE:
                self._fail(TooLarge())

    def on_message_begin(self) -> None:
        if not self._asked:
            self.abort()
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # a trailer
        known = name.lower()
        if known in {b"content-length", b"transfer-encoding"}:
            self._sized = True
        elif known == b"content-encoding":
            self._zipped = value.strip().lower() in {b"gzip", b"x-gzip"}
        elif known == b"retry-after":
            self._retry_after = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._in_body = False  # the answer is still to come
        elif self._asked:
            # After an error the server may never read what is left of the request.
            self._spoilt = status >= 400 or not self._parser.should_keep_alive()
            self._tell()

    def _tell(self) -> None:
        body, self._body = bytes(self._body), bytearray()
        try:
            if self._zipped and body:
                body = _unzipped(body, self._most)
        except (Disconnected, TooLarge) as error:
            self._fail(error)
        else:
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(Response(self._parser.get_status_code(), body, self._retry_after))

    def eof_received(self) -> None:
        if self._asked and self._in_body and not self._sized:
            self._tell()  # the end of the connection is that of the body
        self._fail(Disconnected("the server closed it"))

    def connection_lost(self, error: Exception | None) -> None:
        self._open_ones.discard(self)
        self._fail(Disconnected(str(error or "") or "it was closed"))
        if not self.lost.done():
            self.lost.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.abort()


def _unzipped(body: bytes, most: int) -> bytes:
    """Raises TooLarge beyond `most` bytes, and Disconnected for what is not whole."""
    found = bytearray()
    for _ in range(_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            found += member.decompress(body, most + 1 - len(found))
        except zlib.error as error:
            raise Disconnected(f"what came back can't be unpacked: {error}") from error
        if len(found) > most:
            raise TooLarge
        if not member.eof:
            raise Disconnected("what came back ends in the middle")
        body = member.unused_data
        if not body:
            return bytes(found)
    raise TooLarge


@asynccontextmanager
async def opened(url: str, timeout_s: float) -> AsyncIterator[Client]:
    client = Client(url, timeout_s)
    try:
        yield client
    finally:
        await client.close()
