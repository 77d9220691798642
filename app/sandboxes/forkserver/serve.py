"""The zygote's loop: a request, a fork, a deadline, a response. One child at a time, and nothing is left of it.

Every page that the zygote or a child writes to is copied first, and these copies are most of what a run costs. That is
why whatever can be made ready once is, and why so little happens between the fork and the end of the child.
"""

from __future__ import annotations

import marshal
import mmap
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from app.sandboxes.forkserver import attempts, child, kernel, protocol
from app.sandboxes.forkserver.deadline import Deadline
from app.sandboxes.forkserver.limits import MemoryLimit
from app.sandboxes.forkserver.seccomp import Filter

_MEGABYTE = 1 << 20
_WARMING_ROOM = 1 << 16
_WARMING = """
def f(x):
    if x == 2:
        raise ValueError("no")
    return [x, (x, 1.5), {"a": x, "b": {x}}, sorted(str(i) for i in range(3))]
"""


class Server:
    """`control` is the socket to the driver, `filter` what each child takes on, `builtins` what programs see."""

    def __init__(self, control: int, filter: Filter, builtins: dict[str, Any], memory: MemoryLimit) -> None:
        self._control = control
        self._builtins = builtins
        self._memory = memory
        self._pid = os.getpid()
        self._alone = self._pid == 1  # of a process namespace: whatever else lives in it is a child's
        self._poll = select.poll()
        self._poll.register(control, 0)  # reports only that the driver hung up
        self._seal = [kernel.prepare("close", control), *([] if self._alone else [_die_with_parent()]), filter.install]

    def warm_up(self) -> None:
        """Runs a program here, so that children find the interpreter's caches filled: twice as fast."""
        payload = marshal.dumps((_WARMING, (("f", (1,)), ("f", (2,)))))
        for _ in range(30):
            with mmap.mmap(-1, _WARMING_ROOM) as area:
                child.run(payload, child.Channel(area, _WARMING_ROOM), self._builtins)

    def serve(self) -> None:
        """Until the driver hangs up, which ends the process."""
        header = bytearray(protocol.REQUEST.size)
        while True:
            self._receive(memoryview(header))
            kind, size, wall_ms, cpu_ms, memory_mb, room = protocol.REQUEST.unpack(header)
            room += protocol.USED.size
            self._memory.allow(memory_mb * _MEGABYTE + room + size)
            # What comes in and goes out stays in memory that goes away with the run: nothing of one program, which may
            # be the answer to another, is left in the heap that the next one inherits.
            with mmap.mmap(-1, room + size) as area, memoryview(area) as view:
                with view[room:] as payload:
                    self._receive(payload)
                    response = self._run(kind, area, room, payload, wall_ms / 1000, cpu_ms / 1000)
                with view[protocol.USED.size : protocol.USED.size + response[0]] as frames:
                    self._send(protocol.RESPONSE.pack(*response), frames)

    def _run(
        self, kind: int, area: mmap.mmap, room: int, payload: memoryview, wall: float, cpu: float
    ) -> tuple[int, ...]:
        started = time.monotonic()
        pid = kernel.fork()
        if pid == 0:
            self._become_child(kind, area, room, payload)
        end, status, usage = self._wait(pid, Deadline(pid, wall, cpu))
        if self._alone:
            _kill_the_rest()
        wall_us = int((time.monotonic() - started) * 1e6)
        cpu_us = int((usage.ru_utime + usage.ru_stime) * 1e6)
        used = min(protocol.USED.unpack_from(area)[0], room - protocol.USED.size)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used, end, wall_us, cpu_us, usage.ru_maxrss, own, status

    def _become_child(self, kind: int, area: mmap.mmap, room: int, payload: memoryview) -> None:
        """Ends the process. A failure before the filter stands is ours: SIGKILL, which no program can send itself."""
        try:
            for step in self._seal:
                step()
        except BaseException:  # noqa: BLE001 - a child that is not confined must never go on
            os.kill(os.getpid(), signal.SIGKILL)
        status = protocol.BROKEN
        try:
            channel = child.Channel(area, room)
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
        self._poll.register(descriptor, select.POLLIN)
        while not (ready := self._poll.poll(deadline.left_ms())):
            if deadline.has_passed():
                end = protocol.DEADLINE
                break
        self._poll.unregister(descriptor)
        os.close(descriptor)
        if not ready or ready[0][0] != descriptor:
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        return end, status, usage

    def _receive(self, view: memoryview) -> None:
        while view:
            count = os.readv(self._control, [view])
            if not count:
                os._exit(0)
            view = view[count:]

    def _send(self, header: bytes, frames: memoryview) -> None:
        count = os.writev(self._control, [header, frames])
        view = frames[max(0, count - len(header)) :]
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


def _die_with_parent() -> Callable[[], None]:
    """A child without a process namespace that would take it along."""
    parent = os.getpid()
    bind = kernel.prepare("prctl", kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def step() -> None:
        bind()
        if os.getppid() != parent:
            raise ProcessLookupError("the parent is gone already")

    return step
