"""A connection outside of the pool, for the few statements that lanes spend their days with.

It speaks to libpq itself (psycopg.pq) and stays in pipeline mode: what psycopg's cursors do in Python for a statement,
and asyncio for each of their waits, was the largest part of a lane's own work.
"""

from __future__ import annotations

import asyncio
import os
import re
from functools import lru_cache
from typing import Any, TypeVar, cast

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8BinaryDumper

from app.db import Rows, Statement, Writing, address, named_errors

T = TypeVar("T")

_CANCEL_S = 5.0
_CANCEL_AGAIN_S = 0.1
_DONE = ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY
_FAILED = ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED
_NAMED = re.compile(r"%(?:%|\((\w+)\)s)")


class Direct:
    """Driven by the event loop.

    Each statement is a transaction of its own, and so are several that are yielded at once; unless they stand between
    BEGIN and COMMIT. At once is much quicker, and locks are held as long as the server needs, however busy the loop is.

    Opened when it is first used, and again after it broke. For one task at a time, but any may close it.
    """

    def __init__(self) -> None:
        self._link: _Link | None = None

    async def run(self, writing: Writing[T]) -> T:
        """Raises what `unit_of_work` raises, and what `writing` does. A transaction left open is rolled back.

        Cancelling it may take some seconds; whether the statement under way was committed is unknown then.
        """
        with named_errors():
            link = self._link
            if link is None or not link.at_rest:
                await self.aclose()
                link = self._link = await _Link.open()
            try:
                step = next(writing)
                while True:
                    statements = [step] if isinstance(step, Statement) else step
                    step = writing.send(await link.ask(statements) if statements else [])
            except StopIteration as done:
                return cast("T", done.value)
            finally:
                if not link.at_rest:
                    await link.close()

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
        self._fault = ""  # why it is of no use any more; no exception, whose traceback would hold this and all texts
        self._loop = asyncio.get_running_loop()
        self._arrival: asyncio.Future[None] = self._loop.create_future()
        self._pg.enter_pipeline_mode()
        # Of our own: libpq closes its socket once it is broken, and a loop can't forget a closed one, or what got its
        # number since.
        self._watched: int | None = os.dup(self._pg.socket)
        self._loop.add_reader(self._watched, self._read)

    @classmethod
    async def open(cls) -> _Link:
        # By keywords, as the pool connects: libpq reads some addresses otherwise, and quotes them in its errors.
        connection = await psycopg.AsyncConnection.connect(**address(), autocommit=True)
        try:
            return cls(connection)
        except (psycopg.Error, OSError):
            await connection.close()
            raise

    @property
    def at_rest(self) -> bool:
        return not (self._asking or self._fault) and self._pg.transaction_status == TransactionStatus.IDLE

    async def ask(self, statements: list[Statement]) -> Rows:
        """The rows of the last one. They are one transaction, as libpq's documentation promises of a pipeline."""
        for statement in statements:
            self._send(statement)
        self._pg.pipeline_sync()
        self._asking = True
        if self._write() and self._watched is not None:
            self._loop.add_writer(self._watched, self._write_on)
        result = await self._result()
        self._types.set_pgresult(result)
        return self._types.load_rows(0, result.ntuples, tuple) if result.nfields else []

    def _send(self, statement: Statement) -> None:
        query, names = _numbered(statement.query)
        values = [statement.values[name] for name in names]
        dumped = self._types.dump_sequence(values, [PyFormat.AUTO] * len(values))
        key = query, self._types.types
        name = self._prepared.get(key)
        if name is None:
            name = b"direct_%d" % len(self._prepared)
            self._pg.send_prepare(name, *key)
            self._prepared[key] = name
        self._pg.send_query_prepared(name, dumped, self._types.formats)

    async def _result(self) -> PGresult:
        """Of the last statement, once all are committed. Raises what the first wrong one did; none counts then."""
        last: PGresult | None = None
        error: psycopg.Error | None = None
        try:
            while True:
                while self._pg.is_busy() and not self._fault:
                    await self._arrival
                if self._fault:
                    raise error or psycopg.OperationalError(self._fault)
                result = self._pg.get_result()
                if result is None:  # the next statement's come now
                    if self._pg.status == ConnStatus.BAD:  # libpq makes no sense of them, or has no memory for them
                        self._break(error or psycopg.OperationalError("the connection was given up"))
                        error = None
                elif result.status in _DONE:
                    last = result
                elif result.status in _FAILED:
                    error = error or psycopg.errors.error_from_result(result)
                elif result.status == ExecStatus.PIPELINE_SYNC:
                    break
                else:  # it would be told for ever
                    raise psycopg.NotSupportedError(f"no statement for a pipeline: {ExecStatus(result.status).name}")
            self._asking = False
            if error or last is None:
                self._fault = "what a wrong statement was to prepare may not be prepared"
                raise error or psycopg.OperationalError("the server told no result")
            return last
        finally:
            del error  # else it and this frame, with those that hold all texts, would hold each other

    def _write(self) -> bool:
        """Whether there is more to write than the socket takes for now."""
        try:
            return self._pg.flush() != 0
        except psycopg.OperationalError as error:
            self._break(error)
            return False

    def _write_on(self) -> None:
        if not self._write() and self._watched is not None:
            self._loop.remove_writer(self._watched)

    def _read(self) -> None:
        try:
            self._pg.consume_input()
        except psycopg.OperationalError as error:
            self._break(error)
        self._wake()

    def _break(self, error: psycopg.Error) -> None:
        self._fault = self._fault or str(error) or "the connection was lost"
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
            os.close(self._watched)
            self._watched = None

    async def close(self) -> None:
        """Who waits for an answer hears of it as of a lost connection."""
        self._fault = self._fault or "the connection was closed"
        self._wake()
        try:
            if self._asking:
                async with asyncio.timeout(_CANCEL_S):
                    await self._cancel()
        except (psycopg.Error, TimeoutError):
            pass  # a server that does not answer has lost the connection, or soon will
        finally:
            self._unwatch()
            await self._connection.close()

    async def _cancel(self) -> None:
        """Until the server says anything: one that has not begun yet takes no notice."""
        await self._connection.cancel_safe(timeout=_CANCEL_S)
        while self._watched is not None and self._pg.is_busy():
            if not (await asyncio.wait([self._arrival], timeout=_CANCEL_AGAIN_S))[0]:
                await self._connection.cancel_safe(timeout=_CANCEL_S)


@lru_cache
def _numbered(query: bytes) -> tuple[bytes, tuple[str, ...]]:
    """With libpq's placeholders in place of psycopg's, and what belongs to each of them."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}" if found[1] else "%"

    return _NAMED.sub(number, query.decode()).encode(), tuple(names)
