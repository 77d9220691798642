"""A connection outside of the pool."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress

import psycopg
import pytest
from sqlalchemy import make_url

from app import db
from app.config import settings
from app.db import BEGIN, COMMIT, Rows, Statement, Writing, complete, unit_of_work
from app.direct import Direct
from app.errors import Unavailable
from tests.support.leaks import keeps_values_alive

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


async def test_of_several_at_once_the_last_ones_rows_are_told_and_each_sees_what_came_before() -> None:
    def several() -> Writing[Rows]:
        return (yield [note("a"), Statement(b"select 1", {}), Statement(b"select name from workspace", {})])

    def none() -> Writing[Rows]:
        return (yield [])

    async with aclosing(Direct()) as direct:
        assert await direct.run(several()) == [("a",)]
        assert await direct.run(none()) == []
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


class Wire:
    """Between us and the server."""

    def __init__(self, socket: str) -> None:
        self.alter: Callable[[bytes], bytes] = bytes  # what comes back
        self.takes = asyncio.Event()
        self.takes.set()
        self.ends: list[asyncio.StreamWriter] = []  # ours, the server's, ours, ...
        self._socket = socket

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, beyond = await asyncio.open_unix_connection(self._socket)
        self.ends += [writer, beyond]
        await asyncio.gather(
            self._pass_on(reader, beyond, bytes), self._pass_on(there, writer, lambda data: self.alter(data))
        )

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, alter: Callable[[bytes], bytes]
    ) -> None:
        with suppress(OSError):  # either side may have ended
            while data := await source.read(65_536):
                await self.takes.wait()
                target.write(alter(data))
        target.close()

    async def close(self) -> None:
        self.takes.set()
        for end in self.ends:
            end.close()
        for end in self.ends:
            with suppress(OSError):
                await end.wait_closed()


@pytest.fixture
async def wire(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    url = make_url(database)
    folder = url.query.get("host")
    if not isinstance(folder, str):
        pytest.skip("for a server that is reached by a Unix socket")
    wire = Wire(f"{folder}/.s.PGSQL.5432")
    async with await asyncio.start_server(wire.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ours = url.difference_update_query(["host"]).set(host="127.0.0.1", port=port)
        monkeypatch.setattr(settings(), "database_url", ours.render_as_string(hide_password=False))
        db.engine.cache_clear()
        yield wire
        await asyncio.to_thread(db.engine().dispose)  # its connections end at the wire, which this loop serves
        db.engine.cache_clear()
        await wire.close()


@pytest.mark.usefixtures("wire")
async def test_the_kernel_gives_a_silent_network_half_a_minute() -> None:
    def patience(number: int) -> tuple[int, int]:
        """Milliseconds: of what was sent and not acknowledged, and of an answer that is waited for."""
        with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as ours:
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            probes = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            idle, interval, count = (ours.getsockopt(socket.IPPROTO_TCP, option) for option in probes)
            return ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 1_000 * (idle + interval * count)

    def of_the_pool() -> tuple[int, int]:
        with unit_of_work() as session:
            connection = session.connection().connection.driver_connection
            assert isinstance(connection, psycopg.Connection)
            return patience(connection.fileno())

    assert await asyncio.to_thread(of_the_pool) == (30_000, 30_000)
    async with await psycopg.AsyncConnection.connect(**db.address()) as connection:
        assert patience(connection.fileno()) == (30_000, 30_000)


async def test_a_connection_that_ends_while_we_write_is_noticed(wire: Wire) -> None:
    """libpq closes its socket then, which the loop watches for reading and for writing."""
    async with aclosing(Direct()) as direct, asyncio.timeout(20):
        assert await direct.run(one(b"select 1")) == [(1,)]
        wire.takes.clear()
        writing = asyncio.create_task(direct.run(one(b"select %(long)s::text", long="x" * (40 << 20))))
        await asyncio.sleep(0.5)  # until nothing more fits in between
        wire.ends[0].write_eof()
        with pytest.raises(Unavailable):
            await writing
        wire.takes.set()
        assert await direct.run(one(b"select 1")) == [(1,)]


@pytest.mark.parametrize("answer", [b"\0\0\0\0\1", b"D\xff\xff\xff\xff??", b"D\x7f\xff\xff\xf0??"])
async def test_an_answer_that_libpq_gives_up_is_a_lost_connection(wire: Wire, answer: bytes) -> None:
    """The last one announces a row that there is no memory for."""
    async with aclosing(Direct()) as direct:
        for asked in (1, 2):
            wire.alter = bytes
            assert await direct.run(one(b"select 1")) == [(1,)]
            wire.alter = lambda _: answer
            with pytest.raises(Unavailable):
                await direct.run(one(b"select %(asked)s", asked=asked))


@pytest.mark.parametrize("query", [b"copy (select 1) to stdout", b"copy workspace from stdin"])
async def test_copying_is_refused(query: bytes) -> None:
    async with aclosing(Direct()) as direct:
        with pytest.raises(psycopg.NotSupportedError):
            await direct.run(one(query))
        assert await direct.run(one(b"select 1")) == [(1,)]


async def test_whoever_waits_hears_that_another_task_closed_it() -> None:
    async with aclosing(Direct()) as direct, asyncio.timeout(20):
        assert await direct.run(one(b"select 1")) == [(1,)]
        waiting = asyncio.create_task(direct.run(one(b"select pg_sleep(600)::text")))
        await asyncio.sleep(0)  # it has asked
        await direct.aclose()
        with pytest.raises(Unavailable):
            await waiting
        assert await direct.run(one(b"select 1")) == [(1,)]


@pytest.mark.parametrize("before", [b"", b"select repeat('x', 20000)"])
async def test_what_is_cancelled_at_once_does_not_go_on(before: bytes) -> None:
    """The server takes no notice of a wish to cancel what it has not begun, and may have told of the first by then."""
    long = Statement(b"select pg_sleep(600)::text", {})

    def writing() -> Writing[None]:
        yield [Statement(before, {}), long] if before else long

    sleeps = b"""
        select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()
        """
    async with aclosing(Direct()) as direct, aclosing(Direct()) as watching:
        for _ in range(40):
            await direct.run(one(b"select 1"))
            asking = asyncio.create_task(direct.run(writing()))
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        await asyncio.sleep(0.2)
        assert await watching.run(one(sleeps)) == [(0,)]


async def test_nothing_is_sent_of_what_can_not_be_sent_whole() -> None:
    """libpq sends what is long as soon as it is told of it."""
    long = {"long": "x" * 300_000}
    locked = Statement(b"select pg_advisory_xact_lock(1)::text, pg_sleep(600)::text, %(long)s::text", long)

    def writing() -> Writing[None]:
        yield [locked, Statement(b"select %(missing)s", {})]

    locks = b"""
        select count(*) from pg_locks
        where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
        """
    async with aclosing(Direct()) as direct, aclosing(Direct()) as watching:
        with pytest.raises(KeyError):
            await direct.run(writing())
        assert await watching.run(one(locks)) == [(0,)]
        assert await direct.run(one(b"select 1")) == [(1,)]


@pytest.mark.parametrize(
    "wrong",
    [
        Statement(b"select 1 / 0", {}),
        Statement(b"select pg_terminate_backend(pg_backend_pid())", {}),
        Statement(b"selec", {}),
        Statement(b"select %(missing)s", {}),
        Statement(b"select %(text)s::text", {"text": "\0"}),
    ],
)
async def test_an_error_keeps_no_texts_alive(wrong: Statement) -> None:
    """Neither it nor the connection is part of a cycle, which would wait for the collector."""

    def at_once(*statements: Statement) -> Writing[None]:
        yield [*statements]

    async with aclosing(Direct()) as direct:
        await direct.run(one(b"select 1"))
        asked = b"select %(text)s::text"
        assert not await keeps_values_alive(lambda values: direct.run(at_once(Statement(asked, values), wrong)))


async def test_a_constraint_that_fails_as_it_is_committed_is_told_as_such() -> None:
    def late() -> Writing[None]:
        yield [
            Statement(b"create temporary table late (n int unique deferrable initially deferred)", {}),
            Statement(b"insert into late values (1), (1)", {}),
        ]

    async with aclosing(Direct()) as direct:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await direct.run(late())
