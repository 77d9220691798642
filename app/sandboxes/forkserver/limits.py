"""Limits that the kernel holds over the zygote and over each child."""

from __future__ import annotations

import resource
import signal

_DESCRIPTORS = 64


def limit_zygote() -> None:
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        resource.setrlimit(which, (most, most))


def limit_child(memory: int, cpu_ms: int) -> None:
    """`memory` in bytes of address space. SIGPROF ends the child after `cpu_ms`; SIGXCPU and SIGKILL back it up."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = cpu_ms // 1000 + 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    signal.setitimer(signal.ITIMER_PROF, cpu_ms / 1000)


def address_space() -> int:
    """Bytes of address space in use: what a fork starts with."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
