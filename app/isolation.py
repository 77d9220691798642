"""Opens the strongest sandbox that this machine gives, and refuses to run below the configured level."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from app import registry
from app.config import settings
from app.domain.ports import Isolation, Sandbox

# The only isolating method so far; a second one becomes a setting.
_METHOD = "forkserver"


def open_sandbox(*, preload: Sequence[str] = ()) -> AbstractAsyncContextManager[Sandbox]:
    """A pool of isolated interpreters. Raises IsolationTooWeak, naming what to change on the machine."""
    return registry.sandbox(_METHOD).open(preload=preload, minimum=Isolation(settings().minimum_isolation))
