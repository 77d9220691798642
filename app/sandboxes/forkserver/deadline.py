"""The end of a program's time, such that a busy machine makes no wrong answer.

A program that waits is over when its wall clock is. One that computes, yet was given less of a processor than it could
use, goes on until it has had its time, at most `PATIENCE` times as long.
"""

from __future__ import annotations

import time

PATIENCE = 10
_WINDOW = 1 / 4  # of the wall clock, over which waiting is told from computing
_ENOUGH = 9 / 10  # of the wall clock spent computing: nobody kept it from its processor


class Deadline:
    """Looks at a child now and then; both clocks are in seconds."""

    def __init__(self, pid: int, wall: float) -> None:
        self._clock = ~pid << 3 | 2  # the kernel's name for the CPU clock of a process, see clock_getcpuclockid(3)
        self._wall = wall
        self._started = time.monotonic()
        self._next = self._started + wall * (1 - _WINDOW)
        self._used = 0.0

    def left_ms(self) -> float:
        """Until the next look."""
        return max(0.0, self._next - time.monotonic()) * 1000

    def has_passed(self) -> bool:
        """To be asked at each look."""
        elapsed = time.monotonic() - self._started
        before, self._used = self._used, time.clock_gettime(self._clock)
        self._next += self._wall * _WINDOW
        if elapsed < self._wall:
            return False
        waits = self._used - before < self._wall * _WINDOW / PATIENCE
        return waits or self._used > self._wall * _ENOUGH or elapsed > self._wall * PATIENCE
