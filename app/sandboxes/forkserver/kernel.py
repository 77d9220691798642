"""Linux system calls that Python's standard library does not offer, by name, on x86-64 and aarch64."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
syscall = _libc.syscall
syscall.restype = ctypes.c_long
_fork = ctypes.PyDLL(None).fork  # PyDLL: the interpreter's lock stays held, in both processes

# From the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
_NUMBERS: dict[str, tuple[int, int]] = {
    # name: (x86-64, aarch64); -1 where the architecture has no such call
    "bpf": (321, 280),
    "brk": (12, 214),
    "capset": (126, 91),
    "clock_gettime": (228, 113),
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "execve": (59, 221),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettid": (186, 178),
    "io_uring_setup": (425, 425),
    "kill": (62, 129),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "madvise": (28, 233),
    "memfd_create": (319, 279),
    "mmap": (9, 222),
    "mount": (165, 40),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "openat": (257, 56),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "poll": (7, -1),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "read": (0, 63),
    "readv": (19, 65),
    "rseq": (334, 293),
    "rt_sigprocmask": (14, 135),
    "seccomp": (317, 277),
    "set_robust_list": (273, 99),
    "setns": (308, 268),
    "socket": (41, 198),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "wait4": (61, 260),
    "write": (1, 64),
    "writev": (20, 66),
}
# linux/audit.h: what seccomp calls the architecture.
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

MACHINE = os.uname().machine
AUDIT_ARCH = _AUDIT.get(MACHINE, 0)  # 0: an architecture without a table here

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38


def number(name: str) -> int | None:
    """The number of a system call on this machine; None where it has no such call."""
    found = _NUMBERS[name][MACHINE == "aarch64"]
    return found if found >= 0 else None


def prepare(name: str, *arguments: Any) -> Callable[[], None]:
    """A system call ready to be made in a child, with its arguments converted; it raises OSError."""
    words = (ctypes.c_long(_NUMBERS[name][MACHINE == "aarch64"]), *map(_word, arguments))

    def make() -> None:
        if syscall(*words) < 0:
            raise OSError(ctypes.get_errno(), name)

    return make


def call(name: str, *arguments: Any) -> int:
    """Makes a system call; integers are passed as longs. Raises OSError."""
    result: int = syscall(ctypes.c_long(_NUMBERS[name][MACHINE == "aarch64"]), *map(_word, arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def _word(argument: Any) -> Any:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def fork() -> int:
    """As os.fork, without Python's hooks, which write to 200 pages that each child would have to copy.

    They renew the state of threads and of `random`; a zygote has one thread, and seeds its children itself. Raises
    OSError.
    """
    pid: int = _fork()
    if pid < 0:
        raise OSError("fork failed")
    return pid


def prctl(option: int, argument: int) -> None:
    """Raises OSError."""
    call("prctl", option, argument, 0, 0, 0)
