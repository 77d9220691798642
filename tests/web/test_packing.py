"""Pages are sent compressed, and the token of a session never stands in two of them alike."""

from __future__ import annotations

import pytest

from tests.support.browsing import Visitor


def test_pages_are_packed_for_browsers_that_take_it(page: Visitor) -> None:
    packed = page.get("/settings", headers={"accept-encoding": "br, gzip"})
    plain = page.get("/settings", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert "<h1>" in packed.text


def test_each_page_shows_the_token_under_a_mask_of_its_own(page: Visitor) -> None:
    shown = {page.csrf() for _ in range(5)}
    assert len(shown) == 5
    for token in shown:
        answer = page.post("/settings/profile", data={"name": "Ada Lovelace", "csrf": token})
        assert answer.status_code == 303


@pytest.mark.parametrize("wrong", ["", "AAAA", "not base64!", "tökén", "QUJDREVGR0g="])
def test_what_is_no_token_under_any_mask_is_refused(page: Visitor, wrong: str) -> None:
    assert page.post("/settings/profile", data={"name": "Mallory", "csrf": wrong}).status_code == 403


def test_a_token_with_one_letter_changed_is_refused(page: Visitor) -> None:
    token = page.csrf()
    forged = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
    assert page.post("/settings/profile", data={"name": "Mallory", "csrf": forged}).status_code == 403
