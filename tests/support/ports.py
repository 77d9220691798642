"""Ports for servers that a test starts, or that it wants away.

A model's port is chosen seconds before its server listens, and tests run in several processes: each has a hundred ports
to itself, those that follow the first one that it could bind. It keeps that one bound to its end.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import suppress

from app.local.ports import free_port

_EACH = 100
_FIRSTS = range(20_000, 32_000, _EACH)  # beyond them lie those that Linux gives to connections


def own_port() -> int:
    """A free one, and another at each call until all had their turn."""
    return next(port for port in _OWN if free_port(port) == port)


def _own() -> Iterator[int]:
    with socket.socket() as held:
        first = _bound(held)
        yield from itertools.cycle(range(first + 1, first + _EACH))


def _bound(held: socket.socket) -> int:
    for first in _FIRSTS:
        with suppress(OSError):  # another process has it
            held.bind(("127.0.0.1", first))
            return first
    raise AssertionError("all ports are taken")


_OWN = _own()
