"""The end of a program's time, such that a busy machine makes no wrong answer.

A program that computes, yet is given less of a processor than it could use, goes on after its deadline until it has had
its time, at most `PATIENCE` times as long. One that waits for something ends at its deadline. The CPU time is read from
outside, so that there is no timer inside that a program could stop.
"""

from __future__ import annotations

import time

PATIENCE = 10
_ENOUGH = 9 / 10  # of the deadline spent computing: nobody kept it from its processor
_SILENCE_S = 0.5  # without any computing: it waits. A machine with less than one turn in this time is beyond help
_TURN_S = 0.0002  # less than any turn on a processor
_STEP_S = 0.002


class Deadline:
    """Looks at a child now and then; both limits and both clocks are in seconds."""

    def __init__(self, pid: int, wall: float, cpu: float) -> None:
        self._clock = ~pid << 3 | 2  # the kernel's name for the CPU clock of a process, see clock_getcpuclockid(3)
        self._wall = wall
        self._cpu = cpu
        self._started = self._stirred = time.monotonic()
        self._next = self._started + min(cpu, max(wall - _SILENCE_S, wall / 2))
        self._used = 0.0

    def left_ms(self) -> float:
        """Until the next look."""
        return max(0.0, self._next - time.monotonic()) * 1000

    def has_passed(self) -> bool:
        """To be asked at each look."""
        now, used = time.monotonic(), time.clock_gettime(self._clock)
        if used - self._used > _TURN_S:
            self._stirred = now
        self._used = used
        if used >= self._cpu:
            return True
        soonest = now + max(self._cpu - used, _STEP_S)  # one thread uses no more than a second in a second
        end = self._started + self._wall
        if now < end:
            self._next = min(end, soonest)
            return False
        missing = self._wall * _ENOUGH - used
        self._next = min(soonest, now + max(_STEP_S, missing), now + _SILENCE_S / 2)
        return missing <= 0 or now - self._stirred >= _SILENCE_S or now - self._started > self._wall * PATIENCE
