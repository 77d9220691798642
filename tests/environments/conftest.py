from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from app.domain.ports import Sandbox
from app.isolation import open_sandbox


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The sandbox that this machine gives, for tests on the session's event loop."""
    async with open_sandbox() as sandbox:
        yield sandbox
