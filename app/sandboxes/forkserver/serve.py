"""The zygote's loop: a request, a fork, a deadline, a response. One child at a time, and nothing is left of it."""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import select
import signal
import time
from typing import Any

from app.sandboxes.forkserver import attempts, child, kernel, limits, protocol
from app.sandboxes.forkserver.deadline import Deadline
from app.sandboxes.forkserver.seccomp import Filter

_CHUNK = 1 << 16
_MEGABYTE = 1 << 20
_WARMING = """
def f(x):
    if x == 2:
        raise ValueError("no")
    return [x, (x, 1.5), {"a": x, "b": {x}}, sorted(str(i) for i in range(3))]
"""


class Server:
    """`control` is the socket to the driver; `filter` what each child takes on; `builtins` what programs see."""

    def __init__(self, control: int, filter: Filter, builtins: dict[str, Any], seed: int, memory: int) -> None:
        self._control = control
        self._filter = filter
        self._builtins = builtins
        self._seed = seed
        self._memory = memory  # bytes of address space that a child starts with
        self._pid = os.getpid()
        self._buffer = b""

    def warm_up(self) -> None:
        """Runs a program here, so that children find the interpreter's caches filled: twice as fast."""
        payload = json.dumps([_WARMING, [["f", '{"t":[1]}']] * 2]).encode()
        for _ in range(30):
            child.run(payload, child.Channel(mmap.mmap(-1, _CHUNK)), self._builtins)

    def serve(self) -> None:
        """Until the driver hangs up."""
        while True:
            header = protocol.REQUEST.unpack(self._receive(protocol.REQUEST.size))
            payload = self._receive(header[1])
            self._answer(header, payload)

    def _answer(self, header: tuple[int, ...], payload: bytes) -> None:
        kind, _, wall_ms, cpu_ms, memory_mb, room = header
        started = time.monotonic()
        try:
            area = mmap.mmap(-1, protocol.USED.size + room)
            pid = os.fork()
        except OSError:
            self._send(protocol.RESPONSE.pack(0, protocol.REFUSED, 0, 0, 0, 0, 0))
            return
        if pid == 0:
            self._become_child(kind, payload, area, self._memory + room + memory_mb * _MEGABYTE, cpu_ms)
        end, status, usage = self._wait(pid, Deadline(pid, wall_ms / 1000))
        if self._pid == 1:  # of a process namespace: whatever else lives in it is the child's
            _kill_the_rest()
        wall = time.monotonic() - started
        used = min(protocol.USED.unpack_from(area)[0], room)
        frames = area[protocol.USED.size : protocol.USED.size + used]
        area.close()
        cpu = usage.ru_utime + usage.ru_stime
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._send(
            protocol.RESPONSE.pack(used, end, int(wall * 1e6), int(cpu * 1e6), usage.ru_maxrss, own, status) + frames
        )

    def _become_child(self, kind: int, payload: bytes, area: mmap.mmap, memory: int, cpu_ms: int) -> None:
        """Ends the process. A failure before the filter stands is ours: SIGKILL, which no program can send itself."""
        try:
            os.close(self._control)
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._pid:
                os._exit(protocol.BROKEN)
            limits.limit_child(memory, cpu_ms)
            random.seed(self._seed)  # the same in every run of a replica, another in the other one
            self._filter.install()
        except BaseException:  # noqa: BLE001 - a child that is not confined must never go on
            os.kill(os.getpid(), signal.SIGKILL)
        status = protocol.BROKEN
        try:
            channel = child.Channel(area)
            if kind == protocol.ATTEMPTS:
                attempts.report(channel)
            else:
                child.run(payload, channel, self._builtins)
            status = protocol.CLEAN
        except MemoryError:
            status = protocol.NO_MEMORY
        finally:
            os._exit(status)

    def _wait(self, pid: int, deadline: Deadline) -> tuple[int, int, resource.struct_rusage]:
        """Waits for the child's end and reaps it; kills it at its deadline, or when nobody waits for it any more."""
        end = protocol.ENDED
        descriptor = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._control, 0)  # reports only that the driver hung up
        while not (ready := poll.poll(deadline.left_ms())):
            if deadline.has_passed():
                end = protocol.DEADLINE
                break
        if not ready or ready[0][0] != descriptor:
            os.kill(pid, signal.SIGKILL)
        os.close(descriptor)
        _, status, usage = os.wait4(pid, 0)
        return end, status, usage

    def _receive(self, size: int) -> bytes:
        while len(self._buffer) < size:
            chunk = os.read(self._control, _CHUNK)
            if not chunk:
                os._exit(0)
            self._buffer += chunk
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._control, view) :]


def _kill_the_rest() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return  # as it should be: programs cannot fork
    while True:
        try:
            os.wait4(-1, 0)
        except ChildProcessError:
            return
