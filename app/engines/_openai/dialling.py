"""Connections to a server by its name: to any of its addresses that answers, and that may be reached."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TypeVar, cast
from urllib.parse import urlsplit

import aiohappyeyeballs

from app.engines._openai import reach

P = TypeVar("P", bound=asyncio.Protocol)

_CONNECT_S = 10.0
_PARTING_S = 0.1  # for the end of TLS with a server whose connection came too late
_ADDRESSES_KEPT_S = 10.0
# After so long without an answer, the next of a name's addresses is tried as well (RFC 8305, section 8).
_NEXT_ADDRESS_S = 0.25


class Unreachable(Exception):
    """No connection could be made; `final` where asking again would change nothing."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Dialler:
    """Of the server at `url`. Those who dial at once begin with different addresses of it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._ssl = _verifying() if parts.scheme == "https" else None
        self._certified = self._host.rstrip(".") if self._ssl else None
        self._port = (443 if self._ssl else 80) if parts.port is None else parts.port
        self._lookup: asyncio.Task[Sequence[reach.AddressInfo]] | None = None
        self._kept_until = 0.0
        self._turn = 0

    async def dial(self, protocol: Callable[[], P]) -> P:
        """A connection, by the protocol that it was made with. Raises Unreachable."""
        try:
            async with asyncio.timeout(_CONNECT_S) as limit:
                return await self._dialled(protocol)
        except (OSError, UnicodeError) as error:  # UnicodeError: of a name that none can have
            if limit.expired():
                raise Unreachable(f"no connection within {_CONNECT_S:g} s") from error
            why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
            raise Unreachable(why, final=isinstance(error, PermissionError)) from error  # PermissionError: see reach.py

    async def _dialled(self, protocol: Callable[[], P]) -> P:
        addresses = await self._addresses()
        broken: OSError | None = None  # how TLS ended with one of them
        while True:
            try:
                opened = await _connected(addresses)
            except OSError as error:
                raise broken or error from None
            peer = None
            try:
                peer = opened.getpeername()
                _, made = await asyncio.get_running_loop().create_connection(
                    protocol,
                    sock=opened,
                    ssl=self._ssl,
                    server_hostname=self._certified,
                    ssl_shutdown_timeout=_PARTING_S if self._ssl else None,
                )
                return made
            except BaseException as error:
                if peer is None:
                    opened.close()  # later it is for the loop to close: it may still be taking leave
                # Another address may stand for another machine, with which TLS goes better.
                others = [address for address in addresses if address[4] != peer]
                if not isinstance(error, OSError) or not others or len(others) == len(addresses):
                    raise
                addresses, broken = others, broken or error

    async def _addresses(self) -> Sequence[reach.AddressInfo]:
        """Looked up by one for all, and to its end even where everyone gives up."""
        loop = asyncio.get_running_loop()
        lookup = self._lookup
        if lookup is None or (lookup.done() and loop.time() > self._kept_until):
            lookup = self._lookup = loop.create_task(self._look_up())
        found = await asyncio.shield(lookup)
        first = self._turn % len(found)
        self._turn += 1
        return [*found[first:], *found[:first]]

    async def _look_up(self) -> Sequence[reach.AddressInfo]:
        loop = asyncio.get_running_loop()
        kind = socket.SOCK_STREAM
        try:  # a number, which needs no thread
            found = socket.getaddrinfo(self._host, self._port, type=kind, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            found = await loop.getaddrinfo(self._host, self._port, type=kind)
        self._kept_until = loop.time() + _ADDRESSES_KEPT_S
        return cast("Sequence[reach.AddressInfo]", found)


async def _connected(addresses: Sequence[reach.AddressInfo]) -> socket.socket:
    """Raises OSError: PermissionError where none of the addresses may be reached."""
    refused: list[PermissionError] = []

    def open_socket(address: reach.AddressInfo) -> socket.socket:
        try:
            return reach.open_socket(address)
        except PermissionError as error:
            refused.append(error)
            raise

    try:
        return await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1, socket_factory=open_socket
        )
    except OSError:
        if len(refused) == len(addresses):
            raise refused[0] from None
        raise


def _verifying() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
