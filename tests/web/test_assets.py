"""Addresses with a hash, and how long browsers may keep what lies behind them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.web.assets import STATIC, Assets


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    (tmp_path / "a.css").write_text("b { color: red }")
    return Assets(tmp_path)


def test_the_address_changes_with_the_content(assets: Assets) -> None:
    before = assets("a.css")
    changed = assets.folder / "a.css"
    changed.write_text("b { color: blue }")
    os.utime(changed, (1, 1))
    assert before.startswith("/static/a.css?v=")
    assert assets("a.css") != before


def test_only_the_present_version_is_kept_for_good(assets: Assets) -> None:
    app = Starlette()
    app.mount("/static", assets.app())
    client = TestClient(app)
    assert "immutable" in client.get(assets("a.css")).headers["Cache-Control"]
    assert client.get("/static/a.css?v=0").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/a.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/none.css").status_code == 404


def test_text_is_sent_packed_to_those_who_take_it(assets: Assets) -> None:
    app = Starlette()
    app.mount("/static", assets.app())
    client = TestClient(app)
    packed = client.get(assets("a.css"), headers={"Accept-Encoding": "gzip"})
    plain = client.get(assets("a.css"), headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.text == plain.text == "b { color: red }"
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"] == "text/css; charset=utf-8"
    again = client.get(assets("a.css"), headers={"If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304


def test_the_style_sheet_and_the_script_stay_small() -> None:
    assert (STATIC / "cairn.css").stat().st_size <= 12_000
    assert (STATIC / "cairn.js").stat().st_size <= 12_000
