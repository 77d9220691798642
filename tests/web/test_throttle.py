"""The brake on guessing, by a clock of the test's own."""

from __future__ import annotations

import pytest

from app.errors import TooManyRequests
from app.web import throttle
from app.web.throttle import Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_so_many_failures_one_waits() -> None:
    clock = Clock()
    brake = Throttle(failures=3, period_s=60, clock=clock)
    for _ in range(3):
        brake.check("here")
        brake.failed("here")
        clock.now += 10
    with pytest.raises(TooManyRequests) as caught:
        brake.check("here")
    assert caught.value.remedy == "Wait 30 s, then try again."
    brake.check("elsewhere")
    clock.now = 60.0
    brake.check("here")
    brake.failed("here")
    with pytest.raises(TooManyRequests):
        brake.check("here")


def test_a_flood_from_many_addresses_does_not_fill_the_memory() -> None:
    brake = Throttle(failures=1, period_s=60, clock=Clock())
    for number in range(throttle._CALLERS + 500):
        brake.failed(str(number))
    assert len(brake._seen) == throttle._CALLERS
    brake.check("0")
    with pytest.raises(TooManyRequests):
        brake.check(str(throttle._CALLERS))
