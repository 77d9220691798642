from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.model_server import ModelServer, saying, serve


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A server whose model always says `fine`."""
    async with serve(saying("fine")) as running:
        yield running
