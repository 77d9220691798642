"""Which addresses runs may reach: a worker often stands where its users do not.

Asked twice: of the address that a run names, and of each one that a connection is really made to, since a name may
stand for any. Link-local addresses, among them those where clouds hand out credentials, must be listed by hand.
"""

from __future__ import annotations

import ipaddress
import socket
from fnmatch import fnmatchcase

from pydantic import HttpUrl

from app.config import settings

# Where clouds keep their metadata and that is not link-local: AWS over IPv6, Alibaba.
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
# What aiohttp tells of an address: family, kind, protocol, canonical name, and the socket address.
_AddressInfo = tuple[socket.AddressFamily | int, socket.SocketKind | int, int, str, tuple[object, ...]]


def check(url: HttpUrl) -> HttpUrl:
    """Raises ValueError for an address that runs may not reach."""
    host, allowed = _plain(url.host or ""), _allowed()
    if allowed and not _listed(host, url.port, allowed):
        raise ValueError(f"must be on a host that CAIRN_MODEL_HOSTS lists: {settings().model_hosts}")
    if not allowed and _is_forbidden(host):
        raise ValueError("must not be a link-local or metadata address; list its host in CAIRN_MODEL_HOSTS to allow it")
    return url


def open_socket(address: _AddressInfo) -> socket.socket:
    """A socket for a connection to `address`. Raises PermissionError where a name leads to a forbidden one."""
    family, kind, protocol, _, (host, *_) = address
    text = str(host)
    if _is_forbidden(text) and not _listed(_plain(text), None, _allowed()):
        raise PermissionError(None, f"{text} is a link-local or metadata address, and not in CAIRN_MODEL_HOSTS")
    return socket.socket(family, kind, protocol)


def _allowed() -> list[str]:
    # Brackets are those of IPv6 addresses, not a choice of characters.
    return settings().model_hosts.replace(",", " ").replace("[", "[[]").lower().split()


def _listed(host: str, port: int | None, allowed: list[str]) -> bool:
    """An entry is a host or host:port, either with * for any part of it; an IPv6 address stands in brackets."""
    written = f"[{host}]" if ":" in host else host
    return any(fnmatchcase(name, entry) for entry in allowed for name in (host, written, f"{written}:{port}"))


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _is_forbidden(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False  # a name: seen when it is connected to
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_link_local or (mapped or address) in _METADATA
