"""Many requests at the same moment wait for one another, and none is turned away."""

from __future__ import annotations

import urllib.request
from concurrent.futures import ThreadPoolExecutor

from app.db import CONNECTIONS, unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts


def test_more_requests_than_connections_are_all_answered(web: str, ada: Actor) -> None:
    with unit_of_work() as session:
        token = accounts.create_api_token(session, ada, "a trainer", "read", 1)
    request = urllib.request.Request(f"{web}/api/v1/runs", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - ours

    def ask(_: int) -> int:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - ours
            return int(response.status)

    number = 12 * CONNECTIONS
    with ThreadPoolExecutor(number) as pool:
        assert list(pool.map(ask, range(number))) == [200] * number
