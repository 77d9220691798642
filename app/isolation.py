"""Opens the strongest sandbox that this machine gives, and refuses to run below the configured level."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from app import registry
from app.config import libraries, settings
from app.domain.ports import Call, Isolation, Layer, Limits, Program, Sandbox, Status
from app.errors import LibraryMissing, SandboxUnavailable

# The only isolating method so far; a second one becomes a setting.
_METHOD = "forkserver"


def open_sandbox(*, preload: Sequence[str] = ()) -> AbstractAsyncContextManager[Sandbox]:
    """A pool of isolated interpreters. Raises IsolationTooWeak and LibraryMissing, naming what to change."""
    return registry.sandbox(_METHOD).open(
        preload=preload,
        libraries=libraries(),
        size=settings().sandbox_processes,
        minimum=Isolation(settings().minimum_isolation),
    )


async def probe() -> tuple[Isolation, Sequence[Layer]]:
    """The level that this machine gives, whatever is demanded, and its layers. Raises LibraryMissing."""
    async with registry.sandbox(_METHOD).open(libraries=libraries(), minimum=Isolation.FILTERED) as sandbox:
        await _try_libraries(sandbox)
        return sandbox.isolation, sandbox.layers


async def _try_libraries(sandbox: Sandbox) -> None:
    """Imports them all where programs will. Raises LibraryMissing."""
    names = libraries()
    if not names:
        return
    source = f"import {', '.join(names)}\ndef f():\n    return 1"
    program = Program(source, (Call("f", ()),), Limits(wall_ms=10_000, cpu_ms=10_000))
    try:
        (outcome,) = (await sandbox.run(program)).outcomes
    except SandboxUnavailable as error:
        raise _unusable(names, error.message) from error
    if outcome.status is not Status.VALUE:
        raise _unusable(names, f"{outcome.error} {outcome.detail}.")


def _unusable(names: Sequence[str], reason: str) -> LibraryMissing:
    return LibraryMissing(
        f"Programs may use {' and '.join(names)}, yet can't import that. {reason}",
        field="sandbox_libraries",
        remedy="Take what fails out of CAIRN_SANDBOX_LIBRARIES.",
    )


def suffices(isolation: Isolation) -> bool:
    """Whether workers with these settings agree to start at this level."""
    order = list(Isolation)  # strongest first
    return order.index(isolation) <= order.index(Isolation(settings().minimum_isolation))
