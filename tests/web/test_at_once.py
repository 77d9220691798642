"""Many requests at the same moment wait for one another, and none is turned away."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

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


@contextmanager
def stalled_form(web: str, cookie: str) -> Iterator[None]:
    """Somebody signed in sends the head of a form, and then nothing."""
    address = urlsplit(web)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        head = [
            "POST /runs/new HTTP/1.1",
            f"Host: {address.netloc}",
            f"Cookie: {cookie}",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Length: 1000",
        ]
        connection.sendall("\r\n".join([*head, "", "name="]).encode())
        yield


def test_forms_that_never_come_hold_up_nobody(web: str, ada: Actor) -> None:
    with unit_of_work() as session:
        link = accounts.create_sign_in_link(session, ada)
    signing_in = urllib.request.Request(f"{web}/signin/{link}", method="POST")  # noqa: S310 - ours
    cookies = urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(cookies)
    browser.open(signing_in, timeout=60).close()
    cookie = "; ".join(f"{each.name}={each.value}" for each in cookies.cookiejar)
    with ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            stack.enter_context(stalled_form(web, cookie))
            with browser.open(f"{web}/runs", timeout=60) as response:
                assert response.status == 200
