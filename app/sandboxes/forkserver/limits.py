"""Limits that the kernel holds over the zygote and each child. Time is the zygote's own matter: see deadline.py."""

from __future__ import annotations

import resource

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


class MemoryLimit:
    """Bounds the address space of children, who inherit the bound and cannot raise it, as the zygote can."""

    def __init__(self) -> None:
        with open("/proc/self/statm") as file:
            self._own = int(file.read().split()[0]) * resource.getpagesize()
        self._set = 0

    def allow(self, size: int) -> None:
        """`size` in bytes, on top of what the zygote itself takes. Costs nothing where it did not change."""
        if size != self._set:
            resource.setrlimit(resource.RLIMIT_AS, (self._own + size, resource.RLIM_INFINITY))
            self._set = size
