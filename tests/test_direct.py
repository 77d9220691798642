"""A connection outside of the pool."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import psycopg
import pytest
from sqlalchemy import make_url

from app import db
from app.config import settings
from app.db import BEGIN, COMMIT, Rows, Statement, Writing, complete, unit_of_work
from app.direct import Direct
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


async def test_each_yield_is_a_transaction_unless_several_stand_between_begin_and_commit() -> None:
    def fails(*before: Statement | list[Statement]) -> Writing[None]:
        for step in before:  # noqa: UP028 - a tuple cannot be told the rows
            yield step
        raise LookupError

    wrong = Statement(b"select 1 / %(zero)s", {"zero": 0})
    async with aclosing(Direct()) as direct:
        with pytest.raises(LookupError):
            await direct.run(fails(note("alone"), [note("two"), note("at once")]))
        with pytest.raises(LookupError):
            await direct.run(fails(BEGIN, note("taken back")))
        with pytest.raises(LookupError):
            await direct.run(fails([BEGIN, note("kept")], [note("as well"), COMMIT]))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await direct.run(fails([note("never"), wrong, note("nor this")]))
        assert await direct.run(one(b"select 1")) == [(1,)]
    assert noted() == ["alone", "as well", "at once", "kept", "two"]


async def test_what_fails_when_it_is_committed_has_failed() -> None:
    def several() -> Writing[Rows]:
        table = b"create temporary table once (n int unique deferrable initially deferred) on commit drop"
        twice = Statement(b"insert into once values (%(n)s)", {"n": 1})
        return (yield [Statement(table, {}), twice, twice, note("never"), Statement(b"select 1", {})])

    async with aclosing(Direct()) as direct:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await direct.run(several())
    assert noted() == []


@pytest.mark.parametrize("query", [b"", b"copy workspace to stdout"])
async def test_what_no_statement_answers_is_refused(query: bytes) -> None:
    async with aclosing(Direct()) as direct:
        with pytest.raises(psycopg.ProgrammingError):
            await direct.run(one(query))
        assert await direct.run(one(b"select 1")) == [(1,)]


async def test_of_several_at_once_the_last_ones_rows_are_told_and_each_sees_what_came_before() -> None:
    def several() -> Writing[Rows]:
        return (yield [note("a"), Statement(b"select 1", {}), Statement(b"select name from workspace", {})])

    async with aclosing(Direct()) as direct:
        assert await direct.run(several()) == [("a",)]
    with unit_of_work() as session:
        assert complete(session, several()) == [("a",), ("a",)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_what_is_cancelled_midway_leaves_no_lock_and_no_transaction_behind(at_once: bool) -> None:
    """The second one waits for the first one's lock, who sleeps."""
    lock, sleep = Statement(b"select pg_advisory_xact_lock(1)::text", {}), Statement(b"select pg_sleep(600)::text", {})

    def hold(*then: Statement) -> Writing[None]:
        steps = [lock, note("never"), *then]
        for step in [steps] if at_once else [BEGIN, *steps, COMMIT]:  # noqa: UP028 - as above
            yield step

    async def until(watching: Direct, found: bytes) -> None:
        while await watching.run(one(found)) != [(1,)]:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)

    ours = b"(select oid from pg_database where datname = current_database())"
    sleeps = b"select 1 from pg_stat_activity where wait_event = 'PgSleep' and datid = " + ours
    locks = b"select from pg_locks where locktype = 'advisory' and database = " + ours
    async with aclosing(Direct()) as first, aclosing(Direct()) as second, aclosing(Direct()) as watching:
        holding = asyncio.create_task(first.run(hold(sleep)))
        await until(watching, sleeps)
        waiting = asyncio.create_task(second.run(hold()))
        await until(watching, b"select 1 where exists (" + locks + b" and not granted)")
        for task in (waiting, holding):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(watching, b"select 1 where not exists (" + locks + b")")
        assert await first.run(one(b"select 1")) == await second.run(one(b"select 1")) == [(1,)]
    assert noted() == []


async def test_values_go_there_and_come_back() -> None:
    values = {"text": "100 % 'quoted' $1 \\ ü", "number": 2**40, "small": -3, "real": 0.1, "yes": True, "nothing": None}
    query = b"""
        select %(text)s::text, %(number)s::bigint, %(small)s::int, %(real)s::float8, %(yes)s::bool, %(nothing)s::text,
            %(small)s + 1, 7 %% 4
        """
    async with aclosing(Direct()) as direct:
        for _ in range(2):
            assert await direct.run(one(query, **values)) == [(*values.values(), -2, 3)]


async def test_more_than_the_sockets_hold_goes_both_ways() -> None:
    long = "x" * (20 << 20)
    async with aclosing(Direct()) as direct:
        assert await direct.run(one(b"select %(long)s::text", long=long)) == [(long,)]


async def test_a_connection_that_breaks_while_nobody_asks_is_replaced() -> None:
    async with aclosing(Direct()) as direct, aclosing(Direct()) as other:
        ((process,),) = await direct.run(one(b"select pg_backend_pid()"))
        ended = b"select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = %(process)s"
        assert await other.run(one(ended, process=process)) == [(True,)]
        assert await direct.run(one(b"select 1")) == [(1,)]
        # The number of the closed socket is free for others now, and none of the old connection looks at it.
        assert await other.run(one(b"select 2")) == [(2,)]
