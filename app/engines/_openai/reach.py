"""Which addresses runs may reach: a worker often stands where its users do not.

Asked twice: of the address that a run names, and of each one that a connection is really made to, since a name may
stand for any. Link-local addresses, among them those where clouds hand out credentials, must be listed by hand.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache
from typing import Any

from pydantic import HttpUrl

from app.config import settings

# Where clouds keep their metadata and that is not link-local: AWS over IPv6, Alibaba.
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# What a resolver tells of an address: family, kind, protocol, canonical name, and the socket address.
AddressInfo = tuple[socket.AddressFamily | int, socket.SocketKind | int, int, str, tuple[Any, ...]]


def check(url: HttpUrl) -> HttpUrl:
    """Raises ValueError for an address that runs may not reach."""
    host, allowed = _plain(url.host or ""), _allowed()
    if allowed and not _listed(host, url.port, allowed):
        raise ValueError(f"must be on a host that CAIRN_MODEL_HOSTS lists: {settings().model_hosts}")
    if not allowed and _is_forbidden(host):
        raise ValueError("must not be a link-local or metadata address; list its host in CAIRN_MODEL_HOSTS to allow it")
    return url


def open_socket(address: AddressInfo) -> socket.socket:
    """A socket for a connection to `address`. Raises PermissionError where a name leads to a forbidden one."""
    family, kind, protocol, _, (host, port, *_) = address
    text = str(host)
    if _is_forbidden(text) and not _listed(_plain(text), port, _allowed()):
        raise PermissionError(None, f"{text} is a link-local or metadata address, and not in CAIRN_MODEL_HOSTS")
    return socket.socket(family, kind, protocol)


def _allowed() -> list[str]:
    return settings().model_hosts.replace(",", " ").lower().split()


def _listed(host: str, port: object, allowed: list[str]) -> bool:
    """An entry is a host or host:port; an IPv6 address stands in brackets.

    A * at the start stands for any subdomains, elsewhere for any part between two dots: `10.0.0.*` is no `10.0.0.evil`.
    """
    written = f"[{host}]" if ":" in host else host
    names = (host, written, f"{written}:{port}")
    return any(_pattern(entry).fullmatch(name) for entry in allowed for name in names)


@lru_cache(maxsize=256)
def _pattern(entry: str) -> re.Pattern[str]:
    start = r"(?:[^.:\[\]]+\.)+" if entry.startswith("*.") else ""
    numbers = re.fullmatch(r"[\d.*]+(?::[\d*]+)?", entry)
    part = r"\d*" if numbers else r"[^.:\[\]]*"
    return re.compile(start + part.join(map(re.escape, entry.removeprefix("*." if start else "").split("*"))))


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _is_forbidden(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False  # a name: seen when it is connected to
    meant = {address, _embedded(address) or address}
    return any(each.is_link_local or each in _METADATA for each in meant)


def _embedded(address: _Address) -> _Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, 6to4, or behind a NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
