"""Tries from inside what the layers forbid. A level is believed only after all of these failed."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable

from app.sandboxes.forkserver import kernel, protocol
from app.sandboxes.forkserver.child import Channel

_AF_UNIX, _AF_INET, _STREAM, _DATAGRAM = 1, 2, 1, 2
_AT_FDCWD = -100
_SIGCHLD = 17
_CURRENT_LIMIT_AS = 9


def _open(path: str, flags: int) -> Callable[[], int]:
    return lambda: kernel.call("openat", _AT_FDCWD, ctypes.c_char_p(path.encode()), flags, 0o600)


def _raise_limit() -> int:
    most = (ctypes.c_uint64 * 2)(2**64 - 1, 2**64 - 1)
    return kernel.call("prlimit64", 0, _CURRENT_LIMIT_AS, ctypes.byref(most), None)


def _execute() -> int:
    words = (ctypes.c_char_p * 2)(b"/bin/true", None)
    return kernel.call("execve", ctypes.c_char_p(b"/bin/true"), words, None)


_ATTEMPTS: dict[str, Callable[[], int]] = {
    "read /etc/passwd": _open("/etc/passwd", os.O_RDONLY),
    "read /proc/self/environ": _open("/proc/self/environ", os.O_RDONLY),
    "list /": _open("/", os.O_RDONLY | os.O_DIRECTORY),
    "write /dev/shm": _open("/dev/shm/attempt", os.O_WRONLY | os.O_CREAT),  # noqa: S108 - an attempt
    "open a TCP socket": lambda: kernel.call("socket", _AF_INET, _STREAM, 0),
    "open a UDP socket": lambda: kernel.call("socket", _AF_INET, _DATAGRAM, 0),
    "open a Unix socket": lambda: kernel.call("socket", _AF_UNIX, _STREAM, 0),
    "fork": lambda: kernel.call("clone", _SIGCHLD, 0, 0, 0, 0),
    "execute a program": _execute,
    "signal the parent": lambda: kernel.call("kill", os.getppid(), 0),
    "make a memory file": lambda: kernel.call("memfd_create", ctypes.c_char_p(b"attempt"), 0),
    "read another process": lambda: kernel.call("process_vm_readv", os.getppid(), None, 0, None, 0, 0),
    "trace the parent": lambda: kernel.call("ptrace", 16, os.getppid(), 0, 0),
    "make a user namespace": lambda: kernel.call("unshare", 0x10000000),
    "raise a limit": _raise_limit,
    "become dumpable": lambda: kernel.call("prctl", kernel.PR_SET_DUMPABLE, 1, 0, 0, 0),
    "map executable memory": lambda: kernel.call("mmap", 0, 4096, 5, 0x22, -1, 0),
    "use io_uring": lambda: kernel.call("io_uring_setup", 1, ctypes.create_string_buffer(120)),
    "load BPF": lambda: kernel.call("bpf", 0, None, 0),
    "draw from the system's randomness": lambda: kernel.call("getrandom", ctypes.create_string_buffer(8), 8, 0),
}


def report(channel: Channel) -> None:
    """One frame: the names of the attempts that succeeded, as a JSON list; it should be empty."""
    channel.send(protocol.LOADED)
    channel.send(protocol.VALUE, json.dumps([name for name, attempt in _ATTEMPTS.items() if _succeeds(attempt)]))


def _succeeds(attempt: Callable[[], int]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
