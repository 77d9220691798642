"""The lane's way to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from app import db
from app.db import BEGIN, Statement, Writing, unit_of_work
from app.features.runs.ledger import Ledger
from tests.support.leaks import keeps_values_alive

pytestmark = pytest.mark.usefixtures("database")
LOCK = Statement(b"select pg_advisory_xact_lock(1)::text", {})
WAITING = Statement(
    b"""
    select count(*) from pg_locks
    where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())
    """,
    {},
)


def note(name: str, *before: Statement) -> Callable[[], Writing[str]]:
    def writing() -> Writing[str]:
        yield [*before, Statement(b"insert into workspace (name) values (%(name)s)", {"name": name})]
        return name

    return writing


def noted() -> list[str]:
    with unit_of_work() as session:
        return [name for (name,) in db.execute(session, b"select name from workspace order by id", {})]


async def test_what_was_begun_comes_to_its_end_whoever_goes_away() -> None:
    """Four are begun at once; what waits behind them is not, once nobody waits for it."""
    ledger = Ledger(patience_s=10)
    with unit_of_work() as session:
        db.execute(session, *LOCK)
        saving = [asyncio.create_task(ledger.save(note(f"{at}", LOCK))) for at in range(6)]
        while db.execute(session, *WAITING) != [(4,)]:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        for task in saving:
            task.cancel()
        await asyncio.wait(saving)
    assert await ledger.save(note("last")) == "last"
    await ledger.close()
    assert sorted(noted()) == ["0", "1", "2", "3", "last"]


async def test_who_comes_first_is_served_first() -> None:
    ledger = Ledger(patience_s=10)
    served: list[int] = []

    async def save(at: int) -> None:
        await ledger.save(note(f"{at}"))
        served.append(at)
        if at < 8:
            await save(at + 100)  # at once again, as chains do

    await asyncio.gather(*map(save, range(16)))
    await ledger.close()
    assert set(served[:12]) <= set(range(16))


def raises(*steps: Statement | list[Statement]) -> Callable[[], Writing[None]]:
    def writing() -> Writing[None]:
        for step in steps:  # noqa: UP028 - a tuple cannot be told the rows
            yield step
        raise LookupError("no")

    return writing


@pytest.mark.parametrize(
    ("writing", "error"),
    [
        pytest.param(raises(), LookupError, id="before anything is written"),
        pytest.param(raises(LOCK), LookupError, id="afterwards"),
        pytest.param(raises(BEGIN, LOCK), LookupError, id="within a transaction, whose lock is let go"),
        pytest.param(raises(Statement(b"selec", {})), psycopg.Error, id="a wrong statement"),
        pytest.param(raises(Statement(b"select %(missing)s", {})), KeyError, id="a missing value"),
        pytest.param(raises(Statement(b"select %(what)s", {"what": object()})), psycopg.Error, id="no value"),
        pytest.param(raises(Statement(b"select 'infinity'::date", {})), psycopg.Error, id="an answer of no type"),
        pytest.param(raises(Statement(b"copy (select 1) to stdout", {})), psycopg.Error, id="copying"),
    ],
)
async def test_an_error_is_told_to_who_waits_and_others_are_served(
    writing: Callable[[], Writing[None]], error: type[Exception]
) -> None:
    ledger = Ledger(patience_s=10)
    for _ in range(5):  # on new connections and on open ones
        with pytest.raises(error):
            await ledger.save(writing)
        assert await ledger.save(note("first", LOCK)) == "first"
    assert await asyncio.gather(*(ledger.save(note(f"{at}")) for at in range(8))) == [f"{at}" for at in range(8)]
    await ledger.close()


@pytest.mark.parametrize("opened", [False, True])
async def test_an_error_keeps_no_texts_alive(opened: bool) -> None:
    ledger = Ledger(patience_s=10)
    if opened:
        await ledger.save(note("opened"))
    asked = b"select %(text)s::text"
    assert not await keeps_values_alive(lambda values: ledger.save(raises(Statement(asked, values))), "\0")
    await ledger.close()


async def test_it_is_closed_once_nobody_saves_any_more() -> None:
    ledger = Ledger(patience_s=10)

    async def saves(name: str) -> None:
        for _ in range(5):
            await ledger.save(note(name))

    saving = [asyncio.create_task(saves(name)) for name in "ab"]
    await asyncio.sleep(0)
    await ledger.close()
    await asyncio.gather(*saving)
    mine = b"select count(*) from pg_stat_activity where query like 'insert into workspace%%' and state = 'idle'"
    with unit_of_work() as session:
        while db.execute(session, mine, {}) != [(0,)]:  # noqa: ASYNC110 - the server ends them in its own time
            await asyncio.sleep(0.01)


def test_it_is_closed_though_the_loop_ends_in_the_midst() -> None:
    """At its end asyncio.run cancels all tasks, whoever waits for what."""

    async def lane() -> None:
        ledger = Ledger(patience_s=10)
        try:
            await ledger.save(note("last", Statement(b"select pg_sleep(0.2)::text", {})))
        finally:
            await ledger.close()

    async def main() -> None:
        saving = asyncio.create_task(lane())
        await asyncio.sleep(0.05)
        assert not saving.done()
        raise LookupError("over")

    with pytest.raises(LookupError, match="over"):
        asyncio.run(main())


async def test_a_connection_that_breaks_is_made_up_for() -> None:
    ended = Statement(b"select pg_terminate_backend(pg_backend_pid())", {})
    tries = 0

    def writing() -> Writing[str]:
        nonlocal tries
        tries += 1
        yield ended if tries < 4 else Statement(b"select 1", {})
        return "done"

    ledger = Ledger(patience_s=60)
    assert await ledger.save(note("opened")) == "opened"
    assert await ledger.save(writing) == "done"
    await ledger.close()
    assert tries == 4
