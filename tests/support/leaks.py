"""Whether an error keeps alive what it came through, as a cycle would until the collector finds it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable


class Values(dict[str, object]):
    """What can be watched."""


async def keeps_values_alive(fail: Callable[[Values], Awaitable[object]], text: str = "long") -> bool:
    """Whether the values of a statement outlive the error that `fail` raises with them."""

    async def fails() -> weakref.ref[Values]:
        values = Values(text=text)
        try:
            await fail(values)
        except Exception:  # noqa: BLE001 - whichever it is
            return weakref.ref(values)
        raise AssertionError("it did not fail")

    gc.disable()
    try:
        watched = await fails()
        await asyncio.sleep(0)  # the loop itself holds on to what it is about
        return watched() is not None
    finally:
        gc.enable()
