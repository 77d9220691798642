"""Opens the strongest sandbox that this machine gives, and refuses to run below the configured level."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from app import registry
from app.config import settings
from app.domain.ports import Isolation, Layer, Sandbox

# The only isolating method so far; a second one becomes a setting.
_METHOD = "forkserver"


def open_sandbox(*, preload: Sequence[str] = ()) -> AbstractAsyncContextManager[Sandbox]:
    """A pool of isolated interpreters. Raises IsolationTooWeak, naming what to change on the machine."""
    return registry.sandbox(_METHOD).open(
        preload=preload, size=settings().sandbox_processes, minimum=Isolation(settings().minimum_isolation)
    )


async def probe() -> tuple[Isolation, Sequence[Layer]]:
    """The level that this machine gives, whatever is demanded, and its layers."""
    async with registry.sandbox(_METHOD).open(minimum=Isolation.FILTERED) as sandbox:
        return sandbox.isolation, sandbox.layers


def suffices(isolation: Isolation) -> bool:
    """Whether workers with these settings agree to start at this level."""
    order = list(Isolation)  # strongest first
    return order.index(isolation) <= order.index(Isolation(settings().minimum_isolation))
