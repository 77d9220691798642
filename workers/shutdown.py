"""How pool processes learn that the worker is ending: one byte of memory shared across the fork.

Celery tells only its main process of a warm shutdown and then waits for the tasks; a lane would go on for minutes.
"""

from __future__ import annotations

import mmap

_FLAG = mmap.mmap(-1, 1)


def request() -> None:
    _FLAG[0] = 1


def requested() -> bool:
    return _FLAG[0] == 1
