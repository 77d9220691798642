"""Valkey (the open Redis) under the data folder, reached by a Unix socket that only this user can open."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from app.local import binaries
from app.local.supervisor import Service

_NAME = "valkey.sock"


def url(sockets: Path) -> str:
    return f"redis+socket://{sockets / _NAME}"


def service(data: Path, sockets: Path, *, durable: bool = True) -> Service:
    data.mkdir(mode=0o700, exist_ok=True)
    socket = sockets / _NAME

    async def ready() -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"  # while it loads its file it says -LOADING
        except OSError:
            return False
        finally:
            writer.close()

    return Service(
        "valkey",
        [
            binaries.valkey_server(),
            *("--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"),
            *("--dir", data, "--appendonly", "yes" if durable else "no", "--save", ""),
            *("--maxmemory", "256mb", "--maxmemory-policy", "noeviction"),  # a full queue is refused, never dropped
        ],
        ready=ready,
        grace_s=3.0,
        orphaned=signal.SIGTERM,
    )
