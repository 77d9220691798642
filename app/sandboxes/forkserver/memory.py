"""Where a child finds room: a page that two processes share is copied when either writes to it, for a microsecond.

CPython keeps small objects of one size in a pool, whose first page also holds the pool's state. After the imports the
free places of each size lie scattered over old pools, so that a handful of new objects writes to two pages or more per
size. Filling them up leaves a pool of each size that is all but empty: its state and its next places share one page.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_NEVER, _LARGE = 1 << 30, 1 << 25  # the latter is as far as malloc goes by itself
_POOL = 1 << 14  # obmalloc.h: POOL_SIZE
_FIRST_PLACE = 48  # after struct pool_header
_STEP, _LARGEST = 16, 512  # sizes are rounded up; what is larger comes from malloc
_MOST = 1 << 12  # places that are filled per size, where another allocator never shows a first one
_EMPTY_BYTES = b"".__sizeof__()


def keep_freed() -> None:
    """Lets malloc, where it is glibc's, return nothing to the kernel bit by bit: a child soon returns all it has.

    By itself malloc learns this from large blocks that come and go, which depends on what was imported.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def fill_pools() -> list[object]:
    """What fills the old pools, to be kept for ever. With another allocator it costs some memory and does nothing."""
    filling = []
    for size in range(_STEP, _LARGEST + 1, _STEP):
        for _ in range(_MOST):
            filling.append(_object(size))
            if id(filling[-1]) % _POOL == _FIRST_PLACE:
                break
    return filling


def _object(size: int) -> object:
    if size < _EMPTY_BYTES:
        return object() if size <= object.__sizeof__(object()) else complex(size)
    return bytes(size - _EMPTY_BYTES)
