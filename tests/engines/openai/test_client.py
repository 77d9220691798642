"""HTTP as servers really speak it: rightly, and not."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app.engines._openai import client as module
from app.engines._openai.client import Client, Disconnected, Response, TooLarge

MOST = 1 << 20
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts its connections, and does with each what it is told."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.connections = 0
        self.requests: list[bytes] = []
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._peer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """The body of the next request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b": 0")
        return await reader.readexactly(int(length.partition(b":")[2]))


@asynccontextmanager
async def served(*answers: bytes, close: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peers]:
    """Gives each request the next of the answers, the last one for ever; then closes, where told."""
    left = list(answers)

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.request(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            if close:
                await writer.drain()
                return

    server = Server(peer)
    async with listening(server, tls) as port:
        yield server, port


Peers = tuple[Server, int]


@asynccontextmanager
async def listening(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    listener = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not there():  # noqa: ASYNC110 - of a condition that nobody tells
            await asyncio.sleep(0.001)


async def ask(port: int, most: int = MOST) -> Response:
    async with module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        return await post(client, most)


async def post(client: Client, most: int = MOST) -> Response:
    return await client.post("/v1/completions", b'{"n": 1}', {"Authorization": "Bearer key"}, most)


def sized(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


ZIPPED = gzip.compress(b"yes" * 1000, mtime=0)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (sized(b"yes"), b"yes"),
        (sized(b""), b""),
        (b"HTTP/1.1 200\r\ncontent-length:3\r\n\r\nyes", b"yes"),
        (CHUNKED + b"1\r\ny\r\n2\r\nes\r\n0\r\n\r\n", b"yes"),
        (CHUNKED + b"3;x=1\r\nyes\r\n0\r\nTrailer: 1\r\n\r\n", b"yes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b"yes"), b"yes"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + sized(b"yes"), b"yes"),
        (sized(ZIPPED, b"Content-Encoding: gzip "), b"yes" * 1000),
        (sized(ZIPPED + ZIPPED, b"Content-Encoding: gzip"), b"yes" * 2000),
        (CHUNKED + b"3\r\nyes\r\n0\r\nContent-Encoding: gzip\r\n\r\n", b"yes"),  # a trailer says nothing of the body
    ],
)
async def test_a_body_comes_whole_and_its_connection_is_kept(answer: bytes, body: bytes) -> None:
    async with served(answer) as (server, port), module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        for _ in range(3):
            assert await post(client) == (200, body, "")
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nyes",  # its end is that of the connection
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes",
        sized(b"yes", b"Connection: close"),
    ],
)
async def test_a_body_on_a_connection_that_ends_with_it(answer: bytes) -> None:
    async with (
        served(answer, close=True) as (server, port),
        module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client,
    ):
        for _ in range(2):
            assert await post(client) == (200, b"yes", "")
        assert server.connections == 2


async def test_whatever_the_status_it_is_told_with_what_the_server_asks_for() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate"
    async with served(answer) as (_, port):
        assert await ask(port) == (503, b"late", "7")


async def test_what_is_sent() -> None:
    async with served(sized(b"")) as (server, port), module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        await post(client)
        await client.get("/metrics", MOST)
        first, second = server.requests
        assert first.startswith(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
        assert b"\r\nAuthorization: Bearer key\r\n" in first
        assert second.startswith(b"GET /metrics HTTP/1.1\r\n")
        assert b"Authorization" not in second


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "the server closed it"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "the server closed it"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes", "the server closed it"),
        (CHUNKED + b"3\r\nyes\r\n", "the server closed it"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP came back"),
        (CHUNKED + b"yes\r\n", "no HTTP came back"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nyes", "no HTTP came back"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no HTTP came back"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\0", "another protocol"),
        (sized(b"plain", b"Content-Encoding: gzip"), "can't be unpacked"),
        (sized(ZIPPED[:-9], b"Content-Encoding: gzip"), "ends in the middle"),
        (sized(ZIPPED + b"junk", b"Content-Encoding: gzip"), "can't be unpacked"),
    ],
)
async def test_what_is_no_answer_breaks_the_connection(answer: bytes, says: str) -> None:
    async with served(answer, close=True) as (_, port):
        with pytest.raises(Disconnected, match=says):
            await ask(port)


@pytest.mark.parametrize(
    "answer",
    [
        sized(b"x" * 2000),
        CHUNKED + b"1\r\nx\r\n" * 500,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2000,
        sized(gzip.compress(b"x" * 100_000, mtime=0), b"Content-Encoding: gzip"),
    ],
)
async def test_no_more_is_held_than_an_answer_may_have(answer: bytes) -> None:
    async with served(answer) as (_, port):
        with pytest.raises(TooLarge):
            await ask(port, most=1000)


async def test_a_body_of_endless_parts_is_not_unpacked() -> None:
    async with served(sized(gzip.compress(b"", mtime=0) * 1000, b"Content-Encoding: gzip")) as (_, port):
        with pytest.raises(TooLarge):
            await ask(port)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_makes_none_of_what_follows(status: bytes) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        await server.request(reader)

    server = Server(peer)
    async with listening(server) as port, module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        await post(client)
        with pytest.raises(Disconnected, match="the server closed it"):
            await post(client)


@pytest.mark.parametrize("extra", [sized(b"forged"), b"\r\n\r\nHTTP", b"\0"])
async def test_what_nobody_asked_for_answers_no_further_request(extra: bytes) -> None:
    """Else each answer would be taken for that of the request before."""
    async with (
        served(sized(b"first") + extra, sized(b"second")) as (server, port),
        module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client,
    ):
        assert (await post(client)).body == b"first"
        assert (await post(client)).body == b"second"
        assert server.connections == 2


async def test_an_answer_before_all_was_sent_is_told_and_its_connection_is_not_used_again() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    server = Server(peer)
    async with listening(server) as port, module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        for _ in range(2):
            assert (await client.post("/", b" " * (32 << 20), {}, MOST)).status == 413
        assert server.connections == 2


async def test_a_server_that_closes_at_once() -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(Server(peer)) as port:
        with pytest.raises(Disconnected):
            await ask(port)


async def test_a_kept_connection_that_the_server_closed_is_not_used() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(sized(b"yes"))

    server = Server(peer)
    async with listening(server) as port, module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        for count in range(1, 4):
            assert (await post(client)).body == b"yes"
            await until(lambda: not client._open)
            assert server.connections == count


async def test_connections_that_rested_too_long_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEEP_ALIVE_S", 0.05)
    async with served(sized(b"yes")) as (server, port), module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        await asyncio.gather(*(post(client) for _ in range(5)))
        await until(lambda: server.open == 0)
        await post(client)
        assert server.connections == 6


async def test_requests_at_once_have_a_connection_each() -> None:
    async with served(sized(b"yes")) as (server, port), module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        answers = await asyncio.gather(*(post(client) for _ in range(50)))
        assert {answer.body for answer in answers} == {b"yes"}
        assert server.connections == 50
        await asyncio.gather(*(post(client) for _ in range(50)))
        assert server.connections == 50


async def test_a_cancelled_request_takes_its_connection_along() -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.request(reader)
        arrived.set()
        try:
            await reader.read()
        finally:
            gone.set()

    server = Server(peer)
    async with listening(server) as port, module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
        waiting = asyncio.create_task(post(client))
        await arrived.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await gone.wait()


async def test_a_request_that_takes_too_long_ends() -> None:
    async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(Server(peer)) as port, module.opened(f"http://127.0.0.1:{port}/v1", 0.05) as client:
        with pytest.raises(TimeoutError):
            await post(client)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", CHUNKED + b"1\r\nx\r\n0\r\nX: ", b""])
async def test_heads_and_trailers_have_an_end(start: bytes) -> None:
    more = b"x" * 65536 if start else b"HTTP/1.1 100 Continue\r\n\r\n" * 2000

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(start)
        while True:
            writer.write(more)
            await writer.drain()

    server = Server(peer)
    async with listening(server) as port:
        with pytest.raises(TooLarge):
            await ask(port, most=16 << 20)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n\r\nhal"])
async def test_who_waits_while_the_client_is_closed_hears_of_it(sent: bytes) -> None:
    """Also where closing is cancelled; half of a body is none."""
    arrived = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(sent)
        await writer.drain()
        arrived.set()
        await reader.read()

    server = Server(peer)
    async with listening(server) as port:
        client = Client(f"http://127.0.0.1:{port}/v1", 60.0)
        asking = asyncio.create_task(post(client))
        await arrived.wait()
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(Disconnected, match="it was closed"):
            await asking
        await client.close()
        assert not client._open
