"""A visitor of the site as a browser without JavaScript: cookies, and forms sent with their hidden fields."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

_NUMBERS = count(1)
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


class Visitor(TestClient):
    """Comes from an address of its own. Redirects are not followed, so that a test sees the 303."""

    def __init__(self, app: FastAPI, token: str = "") -> None:
        super().__init__(
            app,
            raise_server_exceptions=False,
            follow_redirects=False,
            headers={"authorization": f"Bearer {token}"} if token else {},
            client=(f"visitor-{next(_NUMBERS)}", 50_000),
        )

    def csrf(self, path: str = "/settings") -> str:
        """The token of the forms on a page."""
        found = _TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form that posts for somebody signed in"
        return found.group(1)

    def submit(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Response:
        """Posts a form as a page of ours would."""
        return self.post(path, data={**(data or {}), "csrf": self.csrf()}, **more)
