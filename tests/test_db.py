"""Units of work."""

from __future__ import annotations

import pytest

from app import db
from app.db import unit_of_work

pytestmark = pytest.mark.usefixtures("database")


def test_a_unit_of_work_may_read_all_of_one_moment() -> None:
    """And the next one on that connection reads what is there, as ever."""
    for of_one_moment in (True, False):
        with unit_of_work(of_one_moment=of_one_moment) as reading:
            before = db.execute(reading, b"select count(*) from workspace", {})
            with unit_of_work() as writing:
                db.execute(writing, b"insert into workspace (name) values ('new')", {})
            assert (db.execute(reading, b"select count(*) from workspace", {}) == before) is of_one_moment
