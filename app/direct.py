"""A connection outside of the pool, for the few statements that lanes spend their days with.

It speaks to libpq itself (psycopg.pq) and stays in pipeline mode: what psycopg's cursors do in Python for a statement,
and asyncio for each of their waits, was the largest part of a lane's own work.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import Any, TypeVar, cast

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8BinaryDumper

from app.db import Rows, Statement, Writing, address, named_errors

T = TypeVar("T")

_CANCEL_S = 5.0
_DONE = ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK
_FAILED = ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED
_NAMED = re.compile(r"%(?:%|\((\w+)\)s)")


class Direct:
    """Driven by the event loop.

    Each statement is a transaction of its own, and so are several that are yielded at once; unless they stand between
    BEGIN and COMMIT. At once is much quicker, and locks are held as long as the server needs, however busy the loop is.

    Opened when it is first used, and again after it broke.
    """

    def __init__(self) -> None:
        self._link: _Link | None = None

    async def run(self, writing: Writing[T]) -> T:
        """Raises what `unit_of_work` raises, and what `writing` does; a transaction that is open then is rolled back.

        Cancelling it may take some seconds; whether the statement under way was committed is unknown then.
        """
        with named_errors():
            if self._link is None or not self._link.at_rest:
                await self.aclose()
                self._link = await _Link.open()
            try:
                step = next(writing)
                while True:
                    step = writing.send(await self._link.ask([step] if isinstance(step, Statement) else step))
            except StopIteration as done:
                return cast("T", done.value)
            finally:
                if not self._link.at_rest:
                    await self.aclose()

    async def aclose(self) -> None:
        """What is under way is cancelled: the server would go on, and hold its locks."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()


class _Link:
    """One connection, until it breaks."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # By default a number's type depends on its size, and each combination is a statement to prepare.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        self._connection = connection
        self._pg = connection.pgconn
        self._types = Transformer(connection)
        self._prepared: dict[tuple[bytes, tuple[int, ...] | None], bytes] = {}
        self._asking = False
        self._broken = ""  # how, once it is
        self._loop = asyncio.get_running_loop()
        self._arrival: asyncio.Future[None] = self._loop.create_future()
        self._pg.enter_pipeline_mode()
        self._watched: int | None = self._pg.socket  # libpq closes it once it is broken, and others get its number
        self._loop.add_reader(self._watched, self._read)

    @classmethod
    async def open(cls) -> _Link:
        # By keywords, as the pool connects: libpq reads some addresses otherwise, and quotes them in its errors.
        return cls(await psycopg.AsyncConnection.connect(**address(), autocommit=True))

    @property
    def at_rest(self) -> bool:
        return not self._asking and self._pg.transaction_status == TransactionStatus.IDLE

    async def ask(self, statements: list[Statement]) -> Rows:
        """The rows of the last one. They are one transaction, as libpq's documentation promises of a pipeline."""
        self._asking = True
        for statement in statements:
            self._send(statement)
        self._pg.pipeline_sync()
        if self._write() and self._watched is not None:
            self._loop.add_writer(self._watched, self._write_on)
        result = await self._result()
        self._asking = False
        self._types.set_pgresult(result)
        return self._types.load_rows(0, result.ntuples, tuple) if result.nfields else []

    def _send(self, statement: Statement) -> None:
        query, names = _numbered(statement.query)
        values = [statement.values[name] for name in names]
        dumped = self._types.dump_sequence(values, [PyFormat.AUTO] * len(values))
        key = query, self._types.types
        name = self._prepared.get(key)
        if name is None:
            name = self._prepared[key] = b"direct_%d" % len(self._prepared)
            self._pg.send_prepare(name, *key)
        self._pg.send_query_prepared(name, dumped, self._types.formats)

    async def _result(self) -> PGresult:
        """Of the last statement, once all are committed. Raises what the first wrong one did; none counts then."""
        last = wrong = None
        while True:
            while self._pg.is_busy() and not self._broken:
                await self._arrival
            if self._broken:
                break
            result = self._pg.get_result()
            if result is None:
                continue  # the next statement's come now
            if result.status == ExecStatus.PIPELINE_SYNC:
                break
            if result.status in _DONE:
                last = result
            elif result.status in _FAILED:
                wrong = wrong or result
            else:
                raise psycopg.ProgrammingError(f"{ExecStatus(result.status).name} is no answer for a statement here")
        if wrong is not None:
            # What this was to prepare may not be prepared now: `at_rest` stays false, and the connection is given up.
            raise psycopg.errors.error_from_result(wrong)
        if self._broken or last is None:
            raise psycopg.OperationalError(self._broken or "the server told no result")
        return last

    def _write(self) -> bool:
        """Whether there is more to write than the socket takes for now."""
        try:
            return self._pg.flush() != 0
        except psycopg.OperationalError as error:
            self._break(str(error))
            return False

    def _write_on(self) -> None:
        if not self._write() and self._watched is not None:
            self._loop.remove_writer(self._watched)

    def _read(self) -> None:
        try:
            self._pg.consume_input()
        except psycopg.OperationalError as error:
            self._break(str(error))
        self._wake()

    def _break(self, how: str) -> None:
        self._broken = how or "the connection broke"
        self._unwatch()
        self._wake()

    def _wake(self) -> None:
        arrived, self._arrival = self._arrival, self._loop.create_future()
        if not arrived.done():
            arrived.set_result(None)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None

    async def close(self) -> None:
        self._unwatch()
        try:
            if self._asking:
                await self._connection.cancel_safe(timeout=_CANCEL_S)
        except psycopg.Error:
            pass  # a server that does not answer has lost the connection, or soon will
        finally:
            await self._connection.close()


@lru_cache
def _numbered(query: bytes) -> tuple[bytes, tuple[str, ...]]:
    """With libpq's placeholders in place of psycopg's, and what belongs to each of them."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}" if found[1] else "%"

    return _NAMED.sub(number, query.decode()).encode(), tuple(names)
