"""How a command in the foreground ends: in order at the first signal, at once at the second."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signal(task: asyncio.Task[None], kill: Callable[[], None], say: Callable[[str], None]) -> Iterator[None]:
    """The first signal cancels the block, so that all ends in order; at the next ones `kill` ends what is left."""
    loop = asyncio.get_running_loop()
    received = 0

    def receive() -> None:
        nonlocal received
        received += 1
        if received == 1:
            task.cancel()
            say("Stopping.")  # last: a terminal that hung up can't be written to
        else:
            kill()

    for number in _SIGNALS:
        loop.add_signal_handler(number, receive)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise
        task.uncancel()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
