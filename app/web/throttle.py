"""A brake on guessing: so many failures per caller and period, counted in this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from app.errors import TooManyRequests

_CALLERS = 10_000  # remembered at most, so that a flood from many addresses can't fill the memory


class Throttle:
    def __init__(self, failures: int, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._period_s = period_s
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, caller: str) -> None:
        """Raises TooManyRequests, whatever the caller brings: a right answer given too late tells nothing either."""
        with self._lock:
            times = self._seen.get(caller)
            while times and times[0] <= self._clock() - self._period_s:
                times.popleft()
            if times and len(times) >= self._failures:
                wait = max(1, round(times[0] + self._period_s - self._clock()))
                raise TooManyRequests("Too many attempts that failed.", remedy=f"Wait {wait} s, then try again.")

    def failed(self, caller: str) -> None:
        """Counts one failure."""
        with self._lock:
            self._seen.setdefault(caller, deque(maxlen=self._failures)).append(self._clock())
            self._seen.move_to_end(caller)
            if len(self._seen) > _CALLERS:
                self._seen.popitem(last=False)
