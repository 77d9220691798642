"""A wire between a browser and the application that a test can cut and mend."""

from __future__ import annotations

import contextlib
import socket
import socketserver
from threading import Thread
from typing import Self


class Relay(socketserver.ThreadingTCPServer):
    """Passes bytes on to `port` of this machine; a context manager that listens while it is open."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Wire)
        self.target = port
        self.is_cut = False
        self.ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.shutdown()
        self.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def cut(self) -> None:
        """Ends what is under way and takes nothing new until `mend`."""
        self.is_cut = True
        for end in self.ends:
            with contextlib.suppress(OSError):  # the other side was quicker
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False


class _Wire(socketserver.BaseRequestHandler):
    server: Relay
    request: socket.socket

    def handle(self) -> None:
        if self.server.is_cut:
            return
        with socket.create_connection(("127.0.0.1", self.server.target)) as beyond:
            self.server.ends += [self.request, beyond]
            back = Thread(target=_pass_on, args=(beyond, self.request), daemon=True)
            back.start()
            _pass_on(self.request, beyond)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # cut, or closed by either side
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
