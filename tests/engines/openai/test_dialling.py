"""Names with one address, with several, with forbidden ones and with none, with TLS and without."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from app.engines._openai import client as module
from app.engines._openai import dialling
from app.engines._openai.client import Disconnected, Response, _Connection
from app.engines._openai.dialling import Unreachable
from app.engines._openai.reach import AddressInfo
from tests.engines.openai.test_client import Server, ask, listening, post, served, sized, until


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names stand for, beside those that there are."""
    known: dict[str, list[str]] = {}
    look_up = socket.getaddrinfo

    def resolve(host: str, port: int, *told: Any, **more: Any) -> list[tuple[Any, ...]]:
        if host in known and "flags" not in more:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]
        return look_up(host, port, *told, **more)

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    return known


async def test_who_asks_at_once_is_spread_over_the_addresses_of_a_name(names: dict[str, list[str]]) -> None:
    names["two.example"] = ["127.0.0.1", "127.0.0.2"]
    async with (
        served(sized(b"one")) as (_, port),
        _also_at("127.0.0.2", port, b"two"),
        module.opened(f"http://two.example:{port}/v1", 5.0) as client,
    ):
        answers = await asyncio.gather(*(post(client) for _ in range(20)))
    assert Counter(answer.body for answer in answers) == {b"one": 10, b"two": 10}


async def test_an_address_where_nothing_listens_is_passed_over(names: dict[str, list[str]]) -> None:
    names["two.example"] = ["127.0.0.2", "127.0.0.1"]
    async with served(sized(b"yes")) as (_, port), module.opened(f"http://two.example:{port}/v1", 5.0) as client:
        answers = await asyncio.gather(*(post(client) for _ in range(4)))
    assert {answer.body for answer in answers} == {b"yes"}


@pytest.mark.parametrize(
    ("addresses", "final"),
    [(["169.254.169.254"], True), (["169.254.169.254", "169.254.170.2"], True), (["169.254.1.1", "127.0.0.1"], False)],
)
async def test_asking_again_is_in_vain_where_no_address_may_be_reached(
    names: dict[str, list[str]], addresses: list[str], final: bool
) -> None:
    names["meta.example"] = addresses
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with module.opened(f"http://meta.example:{port}/v1", 5.0) as client:
        with pytest.raises(Unreachable) as raised:
            await post(client)
    assert raised.value.final is final


async def test_requests_at_once_share_a_lookup_also_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = []

    def fail(host: str, *_: object, flags: int = 0, **__: object) -> list[tuple[object, ...]]:
        if not flags:
            lookups.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    async with module.opened("http://away.example/v1", 5.0) as client:
        for count in (1, 2):
            told = await asyncio.gather(*(post(client) for _ in range(20)), return_exceptions=True)
            assert {str(error) for error in told} == {"Temporary failure in name resolution"}
            assert len(lookups) == count


async def test_a_lookup_goes_on_for_whoever_asks_next(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, go_on, lookups = socket.getaddrinfo, threading.Event(), []

    def slow(host: str, *told: object, flags: int = 0, **more: object) -> list[tuple[object, ...]]:
        if flags:
            raise socket.gaierror
        lookups.append(host)
        go_on.wait(10)
        return look_up("127.0.0.1", *told, **more)  # type: ignore[arg-type,return-value]

    monkeypatch.setattr("socket.getaddrinfo", slow)
    monkeypatch.setattr(dialling, "_CONNECT_S", 0.05)
    async with served(sized(b"yes")) as (_, port), module.opened(f"http://slow.example:{port}/v1", 5.0) as client:
        with pytest.raises(Unreachable, match=r"no connection within 0\.05 s"):
            await post(client)
        monkeypatch.setattr(dialling, "_CONNECT_S", 10.0)
        go_on.set()
        assert (await post(client)).body == b"yes"
    assert lookups == ["slow.example"]


async def test_a_connection_that_comes_after_the_client_was_closed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    connected, go_on = dialling._connected, asyncio.Event()

    async def late(addresses: Sequence[AddressInfo]) -> socket.socket:
        made = await connected(addresses)
        await go_on.wait()
        return made

    monkeypatch.setattr(dialling, "_connected", late)
    async with served(sized(b"yes")) as (server, port):
        async with module.opened(f"http://127.0.0.1:{port}/v1", 5.0) as client:
            asking = asyncio.create_task(post(client))
            await until(lambda: server.connections == 1)
        go_on.set()
        with pytest.raises(Disconnected, match="it was closed"):
            await asking
        assert server.requests == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
async def test_a_name_that_none_can_have(host: str) -> None:
    async with module.opened(f"http://{host}/v1", 5.0) as client:
        with pytest.raises(Unreachable):
            await post(client)


async def test_a_connection_that_is_not_made_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full takes no notice of who comes."""
    monkeypatch.setattr(dialling, "_CONNECT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(Unreachable, match=r"no connection within 0\.05 s"):
            await ask(full.getsockname()[1])


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "authority.pem")
    return made


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return authority


async def test_a_server_without_a_certificate_that_holds_is_not_asked(authority: trustme.CA) -> None:
    async with served(sized(b"yes"), tls=_serving(authority, "localhost")) as (server, port):
        with pytest.raises(Unreachable, match="certificate"):
            await _over_tls("localhost", port)
        assert server.requests == []


async def test_a_certificate_must_be_for_the_name_that_is_asked(
    names: dict[str, list[str]], trusted: trustme.CA
) -> None:
    names["localhost."] = ["127.0.0.1"]
    async with served(sized(b"yes"), tls=_serving(trusted, "localhost")) as (server, port):
        assert (await _over_tls("localhost", port)).body == b"yes"
        assert (await _over_tls("localhost.", port)).body == b"yes"
        with pytest.raises(Unreachable, match="certificate"):
            await _over_tls("127.0.0.1", port)
        assert len(server.requests) == 2


async def test_where_tls_fails_at_one_address_another_is_tried(
    names: dict[str, list[str]], trusted: trustme.CA
) -> None:
    names["two.example"] = ["127.0.0.2", "127.0.0.1"]
    serving = _serving(trusted, "two.example")
    async with served(sized(b"yes"), tls=serving) as (_, port), _also_at("127.0.0.2", port, None):
        for _ in range(4):
            assert (await _over_tls("two.example", port)).body == b"yes"


async def test_tls_that_fails_is_told_rather_than_that_another_address_is_forbidden(
    names: dict[str, list[str]], trusted: trustme.CA
) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    names["two.example"] = ["127.0.0.1", "169.254.1.1"]
    async with listening(Server(peer)) as port:
        with pytest.raises(Unreachable) as raised:
            await _over_tls("two.example", port)
    assert not raised.value.final


async def test_who_gives_up_as_tls_is_made_harms_no_later_connection(
    trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop takes leave of the server then, and must keep the socket's number until it has."""
    made, leaving = _Connection.connection_made, []

    def interrupted(self: _Connection, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        if leaving:
            leaving.pop().cancel()

    monkeypatch.setattr(_Connection, "connection_made", interrupted)
    async with (
        served(sized(b"yes"), tls=_serving(trusted, "localhost")) as (_, port),
        module.opened(f"https://localhost:{port}/v1", 5.0) as client,
    ):
        leaving.append(asyncio.create_task(post(client)))
        await asyncio.wait(leaving.copy())
        answers = await asyncio.gather(*(post(client) for _ in range(3)))
        assert {answer.body for answer in answers} == {b"yes"}


async def test_a_server_that_breaks_tls_off_is_told_of_in_words(trusted: trustme.CA) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(Server(peer)) as port:
        with pytest.raises(Unreachable, match=r"\w"):
            await _over_tls("localhost", port)


@asynccontextmanager
async def _also_at(host: str, port: int, body: bytes | None) -> AsyncIterator[None]:
    """A server that breaks every connection off where it has nothing to say."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while body is not None:
            await server.request(reader)
            writer.write(sized(body))
        writer.transport.abort()

    server = Server(peer)
    listener = await asyncio.start_server(server, host, port)
    try:
        yield
    finally:
        listener.close()


def _serving(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def _over_tls(host: str, port: int) -> Response:
    async with module.opened(f"https://{host}:{port}/v1", 5.0) as client:
        return await post(client)
