"""One zygote as the driver sees it: a process, a socket, at most one request under way."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from app.errors import SandboxUnavailable
from app.sandboxes.forkserver import layers, protocol
from app.sandboxes.forkserver.deadline import PATIENCE
from app.sandboxes.forkserver.libraries import places

_START_S = 30.0
_GRACE_S = 5.0  # on top of a program's own deadline at its latest, which the zygote holds
_SOCKET_BUFFER = 1 << 20


class ZygoteDied(Exception):
    """The process went away, or did not answer: nothing is known about the program."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is known of a child that ended: see protocol.RESPONSE. `frames` comes from a stranger."""

    end: int
    wall_us: int
    cpu_us: int
    max_rss_kb: int
    status: int
    frames: bytes


class Zygote(asyncio.Protocol):
    """Started by `start`. `freed` is called when a request is over: it can take the next, or is no longer alive."""

    script: ClassVar[Path] = Path(__file__).with_name("zygote.py")

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.freed: Callable[[Zygote], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Response] | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._greeting: asyncio.Future[layers.Report] = self._loop.create_future()
        self._room = 0  # bytes that the response may have
        self._first_rss_kb = 0
        self.grown_kb = 0  # resident memory since the first response
        self.alive = True
        self.report: layers.Report

    @classmethod
    async def start(
        cls,
        *,
        preload: Sequence[str],
        without: Sequence[str],
        replica: int,
        wide: bool,
        libraries: Sequence[str] = (),
    ) -> Zygote:
        """Raises ZygoteDied, SandboxUnavailable where it says itself why it cannot serve, and LibraryMissing."""
        path = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *places(libraries)]
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
            options = {
                "control": theirs.fileno(),
                "parent": os.getpid(),
                "preload": list(preload),
                "libraries": list(libraries),
                "path": path,
                "seed": replica,
                "wide": wide,
                "without": list(without),
            }
            try:
                process = _spawn(cls.script, options, PYTHONHASHSEED=str(replica + 1))
            except OSError as error:
                ours.close()
                raise ZygoteDied(str(error)) from error
        zygote = cls(process)
        try:
            await zygote._loop.create_connection(lambda: zygote, sock=ours)
            async with asyncio.timeout(_START_S):
                zygote.report = await zygote._greeting
        except TimeoutError as error:
            zygote.kill()
            raise ZygoteDied(f"the isolated interpreter did not start within {_START_S:.0f} s") from error
        except BaseException:
            ours.close()
            zygote._greeting.cancel()
            zygote.kill()
            raise
        return zygote

    def request(self, header: bytes, payload: bytes, wall_ms: int) -> asyncio.Future[Response]:
        """The response to come. The future raises ZygoteDied; cancelling it leaves the zygote busy until its answer."""
        assert self._transport is not None  # noqa: S101 - set by `start`
        self._waiting = self._loop.create_future()
        self._room = protocol.REQUEST.unpack(header)[-1]
        self._guard = self._loop.call_later(wall_ms / 1000 * PATIENCE + _GRACE_S, self.kill)
        self._transport.writelines((header, payload))
        return self._waiting

    def kill(self) -> None:
        """Ends the process at once, with everything in it."""
        self.alive = False
        if self._transport:
            self._transport.abort()
        self._process.kill()
        self._process.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket gives a stream transport
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._greeting.done():
            self._greet()
        elif len(self._buffer) >= protocol.RESPONSE.size:
            size, *fields = protocol.RESPONSE.unpack_from(self._buffer)
            if size > self._room:
                self.kill()  # no child has so much room: the zygote itself was taken over
            elif len(self._buffer) >= protocol.RESPONSE.size + size:
                end, wall, cpu, child, own, status = fields
                frames = bytes(self._buffer[protocol.RESPONSE.size :])
                self._buffer.clear()
                self._first_rss_kb = self._first_rss_kb or own
                self.grown_kb = own - self._first_rss_kb
                self._finish(Response(end, wall, cpu, child, status, frames))

    def connection_lost(self, _error: Exception | None) -> None:
        self.alive = False
        self._process.kill()
        self._process.wait()
        died = ZygoteDied("the isolated interpreter ended")
        if not self._greeting.done():
            self._greeting.set_exception(died)
        else:
            self._finish(died)

    def _greet(self) -> None:
        (size,) = protocol.GREETING.unpack_from(self._buffer.ljust(protocol.GREETING.size, b"\xff"))
        if len(self._buffer) < protocol.GREETING.size + size:
            return
        try:
            greeting = json.loads(self._buffer[protocol.GREETING.size :])
            if "error" in greeting:
                reason = SandboxUnavailable(f"No interpreter can be isolated: {greeting['error']}.")
                self._greeting.set_exception(reason)
            else:
                self._greeting.set_result(layers.report(greeting["layers"]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._greeting.set_exception(ZygoteDied("the isolated interpreter did not greet as one does"))
        self._buffer.clear()

    def _finish(self, outcome: Response | ZygoteDied) -> None:
        if self._guard:
            self._guard.cancel()
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            if self.alive:
                self.kill()  # it speaks without being asked
            return
        if not waiting.done():  # nobody may be waiting any more
            if isinstance(outcome, ZygoteDied):
                waiting.set_exception(outcome)
            else:
                waiting.set_result(outcome)
        if self.freed:
            self.freed(self)


def _spawn(script: Path, options: dict[str, Any], **environment: str) -> subprocess.Popen[bytes]:
    """Raises OSError. The kernel kills the zygote with the thread that called this, whose loop drives it."""
    # -I would ignore PYTHONHASHSEED; this is what it does besides, and no site, no bytecode written, no warnings.
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-S", "-B", "-Wignore", str(script), json.dumps(options)],
        env={**environment, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath},
        pass_fds=[options["control"]],
        stdin=subprocess.DEVNULL,
        process_group=0,  # out of reach of the keyboard; a session of its own would be scheduled apart from its driver
        cwd="/",
    )
