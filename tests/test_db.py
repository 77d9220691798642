"""A connection outside of the pool."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from sqlalchemy import make_url

from app import db
from app.config import settings
from app.db import BEGIN, COMMIT, Direct, Rows, Statement, Writing, unit_of_work
from app.errors import Unavailable

pytestmark = pytest.mark.usefixtures("database")


def one(query: bytes, **values: object) -> Writing[Rows]:
    return (yield Statement(query, values))


async def test_it_opens_whatever_the_pool_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own server asks for no password, so that any will do."""
    url = make_url(settings().database_url or "").set(password="correct horse+%")
    monkeypatch.setattr(settings(), "database_url", url.render_as_string(hide_password=False))
    db.engine.cache_clear()
    try:
        async with aclosing(Direct()) as direct:
            assert await direct.run(one(b"select %(n)s + 1", n=1)) == [(2,)]
    finally:
        db.engine().dispose()
        db.engine.cache_clear()


async def test_it_is_opened_again_after_it_broke() -> None:
    async with aclosing(Direct()) as direct:
        with pytest.raises(Unavailable):
            await direct.run(one(b"select pg_terminate_backend(pg_backend_pid())"))
        assert await direct.run(one(b"select 1")) == [(1,)]


def note(text: str) -> Statement:
    return Statement(b"insert into workspace (name) values (%(name)s)", {"name": text})


def noted() -> list[str]:
    with unit_of_work() as session:
        return [name for (name,) in db.execute(session, b"select name from workspace order by name", {})]


async def test_each_statement_is_a_transaction_unless_several_stand_between_begin_and_commit() -> None:
    def fails(*before: Statement) -> Writing[None]:
        for statement in before:  # noqa: UP028 - a tuple cannot be told the rows
            yield statement
        raise LookupError

    async with aclosing(Direct()) as direct:
        with pytest.raises(LookupError):
            await direct.run(fails(note("alone")))
        with pytest.raises(LookupError):
            await direct.run(fails(BEGIN, note("taken back")))
        with pytest.raises(LookupError):
            await direct.run(fails(BEGIN, note("kept"), COMMIT))
        assert await direct.run(one(b"select 1")) == [(1,)]
    assert noted() == ["alone", "kept"]


async def test_what_is_cancelled_midway_leaves_no_lock_and_no_transaction_behind() -> None:
    """The second one waits for the first one's lock."""

    def hold(what_then: Statement) -> Writing[None]:
        yield BEGIN
        yield Statement(b"select pg_advisory_xact_lock(1)::text", {})
        yield note("never")
        yield what_then
        yield COMMIT

    async with aclosing(Direct()) as first, aclosing(Direct()) as second:
        holding = asyncio.create_task(first.run(hold(Statement(b"select pg_sleep(600)::text", {}))))
        waiting = asyncio.create_task(second.run(hold(note("second"))))
        blocked = b"select count(*) from pg_locks where locktype = 'advisory' and not granted"
        async with aclosing(Direct()) as watching:
            while await watching.run(one(blocked)) != [(1,)]:
                pass
        for task in (waiting, holding):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await second.run(one(b"select count(*) from pg_locks where locktype = 'advisory'")) == [(0,)]
        assert await first.run(one(b"select 1")) == [(1,)]
    assert noted() == []
