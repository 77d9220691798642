"""The system calls that the zygote and the programs in it may make. Everything else fails with EPERM.

Two filters, since every rule of a filter costs time in each child that installs it: the zygote's own, taken once, and a
shorter one that each child adds and that leaves it nothing but memory, its own end and reading and writing /dev/null,
the only thing open. The kernel applies both and the stricter answer wins.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Sequence

from app.sandboxes.forkserver import kernel

# What CPython needs to compute, allocate and end; the order is that of the checks, the frequent ones first.
COMPUTE = (
    "mmap",
    "munmap",
    "brk",
    "mremap",
    "madvise",
    "mprotect",
    "futex",  # locks
    "exit_group",
    "write",  # print(): to /dev/null
    "read",  # input(): from /dev/null
    "clock_gettime",  # where the vDSO cannot answer
    "exit",
)
# What serving takes on top: reading requests, forking, waiting with a deadline, killing, limiting a child.
SERVE = (
    "poll",
    "ppoll",
    "readv",
    "writev",
    "clone",
    "wait4",
    "pidfd_open",
    "kill",
    "close",
    "getpid",  # not for programs: it counts the runs before them. random.Random() does without
    "getppid",
    "prctl",
    "prlimit64",
    "seccomp",
    "rt_sigprocmask",  # glibc blocks signals around fork
    "set_robust_list",  # glibc, in a new child
    "rseq",
    "gettid",
    "getrusage",
)

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 32  # offsets in struct seccomp_data (low words)
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_SET_MODE_FILTER = 1
_X32 = 0x40000000  # system calls of x86-64's third, forgotten ABI
_PROT_EXEC = 4
_FORK_FLAGS = 0x01200011  # CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD: glibc's fork()

_Instruction = tuple[int, int, int, int]


class _Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter))]


class Filter:
    """A compiled filter, ready to be installed by one system call."""

    def __init__(self, instructions: Sequence[_Instruction]) -> None:
        self._array = (_Filter * len(instructions))(*(_Filter(*each) for each in instructions))
        self._program = _Program(len(instructions), self._array)
        # For this process and its children, for ever. Raises OSError.
        self.install = kernel.prepare("seccomp", _SET_MODE_FILTER, 0, ctypes.byref(self._program))


def zygote_filter() -> Filter:
    """Kills on a foreign ABI: a number means another call there."""
    foreign = [(_LD, 0, 0, _ARCH), (_JEQ, 1, 0, kernel.AUDIT_ARCH), (_RET, 0, 0, _KILL), (_LD, 0, 0, _NUMBER)]
    if kernel.MACHINE == "x86_64":
        foreign += [(_JGE, 0, 1, _X32), (_RET, 0, 0, _KILL)]
    # glibc falls back from clone3 to clone only where the kernel seems not to know it.
    unknown = [(_JEQ, 0, 1, kernel.number("clone3") or 0), (_RET, 0, 0, _ERRNO | errno.ENOSYS)]
    return Filter([*foreign, *unknown, *_allow(COMPUTE + SERVE)])


def child_filter() -> Filter:
    # Loading an argument first keeps the kernel from trying the filter on every number when it is installed.
    return Filter([(_LD, 0, 0, _FIRST_ARGUMENT), (_LD, 0, 0, _NUMBER), *_allow(COMPUTE)])


def _allow(names: Sequence[str]) -> list[_Instruction]:
    """One comparison per name, each jumping into the same tail."""
    allow, refuse = (_RET, 0, 0, _ALLOW), (_RET, 0, 0, _ERRNO | errno.EPERM)
    tail = [refuse, allow]
    checked = {"mmap": len(tail), "mprotect": len(tail)}  # never executable memory
    tail += [(_LD, 0, 0, _THIRD_ARGUMENT), (_JSET, 0, 1, _PROT_EXEC), refuse, allow]
    checked["clone"] = len(tail)  # fork and nothing else: no thread, no new namespace
    tail += [(_LD, 0, 0, _FIRST_ARGUMENT), (_JEQ, 0, 1, _FORK_FLAGS), allow, refuse]
    numbers = [(name, number) for name in names if (number := kernel.number(name)) is not None]
    left = range(len(numbers) - 1, -1, -1)
    return [
        (_JEQ, rest + checked.get(name, 1), 0, number) for rest, (name, number) in zip(left, numbers, strict=True)
    ] + tail
