"""Whether a TCP port is free, and which is: the wanted one, or the next."""

from __future__ import annotations

import errno
import socket

from app.errors import Unavailable

_TRIED = 50
_OTHER_HOST = "Set CAIRN_HOST to an address of this machine."


def free_port(wanted: int, host: str = "127.0.0.1") -> int:
    """The first port from `wanted` on that can be bound on `host`. Raises Unavailable when 50 in a row are taken."""
    for port in range(wanted, min(wanted + _TRIED, 65536)):
        if _is_free(host, port):
            return port
    raise Unavailable(
        f"Ports {wanted} to {min(wanted + _TRIED, 65536) - 1} on {host} are taken.",
        remedy="Choose another with --port or CAIRN_PORT.",
    )


def check_free(port: int, host: str) -> None:
    """Raises Unavailable where something else listens there."""
    if not _is_free(host, port):
        raise Unavailable(f"Port {port} on {host} is taken.")


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise Unavailable(f"The address {host!r} can't be used: {error.strerror}.", remedy=_OTHER_HOST) from error
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that lingers after its last server is free
        try:
            probe.bind(address)
        except PermissionError as error:
            raise Unavailable(f"Port {port} needs root.", remedy="Choose one from 1024 on.") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Unavailable(f"The address {host!r} can't be used: {error.strerror}.", remedy=_OTHER_HOST) from error
    return True
