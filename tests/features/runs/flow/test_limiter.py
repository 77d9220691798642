"""Places for sequences: order, changes of the limit, cancellation."""

from __future__ import annotations

import asyncio

import pytest

from app.features.runs.flow.limiter import Limiter, Stopped


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class _Holder:
    """A request that stays until it is let go."""

    def __init__(self, limiter: Limiter, places: int) -> None:
        self.inside = False
        self._go = asyncio.Event()
        self.task = asyncio.create_task(self._hold(limiter, places))

    async def _hold(self, limiter: Limiter, places: int) -> None:
        async with limiter.hold(places):
            self.inside = True
            await self._go.wait()
        self.inside = False

    def leave(self) -> None:
        self._go.set()


async def test_a_request_for_many_samples_waits_for_as_many_places_and_is_not_overtaken() -> None:
    limiter = Limiter(40)
    first, large, small = _Holder(limiter, 10), _Holder(limiter, 32), _Holder(limiter, 1)
    await _settle()
    assert (first.inside, large.inside, small.inside) == (True, False, False)
    assert limiter.full
    first.leave()
    await _settle()
    assert (large.inside, small.inside, limiter.used) == (True, True, 33)
    large.leave()
    small.leave()
    await _settle()
    assert (limiter.used, limiter.full) == (0, False)


async def test_more_than_the_limit_goes_alone() -> None:
    limiter = Limiter(8)
    holders = [_Holder(limiter, 32), _Holder(limiter, 32)]
    await _settle()
    assert [holder.inside for holder in holders] == [True, False]
    holders[0].leave()
    await _settle()
    assert holders[1].inside
    holders[1].leave()
    await _settle()


async def test_a_raised_limit_lets_waiting_ones_in_and_a_lowered_one_throws_none_out() -> None:
    limiter = Limiter(1)
    holders = [_Holder(limiter, 1) for _ in range(4)]
    await _settle()
    limiter.limit = 3
    await _settle()
    assert [holder.inside for holder in holders] == [True, True, True, False]
    limiter.limit = 1
    holders[0].leave()
    await _settle()
    assert [holder.inside for holder in holders] == [False, True, True, False]
    for holder in holders:
        holder.leave()
    await _settle()
    assert limiter.used == 0


async def test_cancelled_requests_leave_no_place_taken() -> None:
    limiter = Limiter(1)
    holders = [_Holder(limiter, 1) for _ in range(4)]
    await _settle()
    holders[1].task.cancel()
    holders[0].task.cancel()
    holders[2].task.cancel()  # it is let in and cancelled in the same moment
    await _settle()
    assert holders[3].inside
    holders[3].leave()
    await _settle()
    assert limiter.used == 0


async def test_a_closed_limiter_lets_nobody_in_and_those_inside_finish() -> None:
    limiter = Limiter(1)
    inside, waiting = _Holder(limiter, 1), _Holder(limiter, 1)
    await _settle()
    limiter.close()
    with pytest.raises(Stopped):
        await waiting.task
    with pytest.raises(Stopped):
        async with limiter.hold(1):
            pass
    assert inside.inside
    inside.leave()
    await inside.task
    assert limiter.used == 0
