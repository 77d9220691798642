"""A connection outside of the pool."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import make_url

from app import db
from app.config import settings
from app.db import Direct
from app.errors import Unavailable


def test_it_opens_whatever_the_pool_opens(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own server asks for no password, so that any will do."""
    url = make_url(settings().database_url or "").set(password="correct horse+%")
    monkeypatch.setattr(settings(), "database_url", url.render_as_string(hide_password=False))
    db.engine.cache_clear()
    try:
        with closing(Direct()) as direct:
            assert direct.execute(b"select %(n)s + 1", {"n": 1}) == [(2,)]
    finally:
        db.engine().dispose()
        db.engine.cache_clear()


def test_it_is_opened_again_after_it_broke(database: str) -> None:
    with closing(Direct()) as direct:
        with pytest.raises(Unavailable):
            direct.execute(b"select pg_terminate_backend(pg_backend_pid())", {})
        assert direct.execute(b"select 1", {}) == [(1,)]
