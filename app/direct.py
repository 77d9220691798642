"""A connection outside of the pool, for the few statements that lanes spend their days with.

It speaks to libpq itself (psycopg.pq) and stays in pipeline mode: what psycopg's cursors do in Python for a statement,
and asyncio for each of their waits, was the largest part of a lane's own work.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8BinaryDumper

from app.db import Rows, Statement, Writing, address, named, named_errors

T = TypeVar("T")
# Hears how a writing ended: what it returned, or what was raised.
Ended: TypeAlias = Callable[[T | None, Exception | None], None]

_CANCEL_S = 5.0
_CANCEL_AGAIN_S = 0.1
_DONE = ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY
_FAILED = ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED
_NAMED = re.compile(r"%(?:%|\((\w+)\)s)")


class _Dumped(NamedTuple):
    """A statement as libpq takes it."""

    key: tuple[bytes, tuple[int, ...] | None]  # its text, and the types of its values
    values: Sequence[Buffer | None]
    formats: Sequence[Format] | None


class Direct:
    """Driven by the event loop.

    Each statement is a transaction of its own, and so are several that are yielded at once; unless they stand between
    BEGIN and COMMIT. At once is much quicker, and locks are held as long as the server needs, however busy the loop is.

    Opened when it is first used, and again after it broke. For one writing at a time, but any task may close it.
    """

    def __init__(self) -> None:
        self._link: _Link | None = None

    @property
    def ready(self) -> bool:
        """Whether it is open, and nothing is under way."""
        return self._link is not None and self._link.at_rest

    def start(self, writing: Writing[T], ended: Ended[T]) -> None:
        """As `run`, where it is ready: without a task, whose every step would take the loop another round.

        If it is not ready once it has `ended`, it should be closed at once: its transaction may still be open.
        """
        if self._link is None or not self._link.at_rest:
            raise RuntimeError("it is not ready")
        self._link.drive(writing, ended)
        del writing, ended  # as in `drive`

    async def run(self, writing: Writing[T]) -> T:
        """Raises what `unit_of_work` raises, and what `writing` does. A transaction left open is rolled back.

        Cancelling it may take some seconds; whether the statement under way was committed is unknown then.
        """
        link = self._link
        if link is None or not link.at_rest:
            await self.aclose()
            with named_errors():
                link = self._link = await _Link.open()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        link.drive(writing, partial(settle, done))
        try:
            return await done
        finally:
            del done  # else an error and this frame would hold each other
            if not link.at_rest:
                await link.close()

    async def aclose(self) -> None:
        """What is under way is cancelled: the server would go on, and hold its locks."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()


def settle(done: asyncio.Future[T], result: T | None, error: Exception | None) -> None:
    """Bound to `done` it is an `Ended` for whoever awaits that."""
    if done.done():
        return
    if error is None:
        done.set_result(cast("T", result))
    else:
        done.set_exception(error)


class _Link:
    """One connection, until it breaks."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # By default a number's type depends on its size, and each combination is a statement to prepare.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        self._connection = connection
        self._pg = connection.pgconn
        self._types = Transformer(connection)
        self._prepared: dict[tuple[bytes, tuple[int, ...] | None], bytes] = {}  # by the key of what was dumped
        self._writing: Writing[Any] | None = None
        self._ended: Ended[Any] | None = None
        self._asking = False  # the server has not answered all yet
        self._last: PGresult | None = None
        self._error: psycopg.Error | None = None  # what the first wrong statement did; none of them counts then
        self._spoilt = False  # of no use any more
        self._heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
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
        busy = self._writing is not None or self._asking
        return not busy and not self._spoilt and self._pg.transaction_status == TransactionStatus.IDLE

    def drive(self, writing: Writing[T], ended: Ended[T]) -> None:
        """Sends what `writing` yields and tells it the rows of the last, until it has `ended`."""
        self._writing, self._ended = writing, ended
        del writing, ended  # the frames of an error know these callers: they and it would hold each other
        self._go_on(None)

    def _go_on(self, rows: Rows | None) -> None:
        """Sends the next of the writing; `rows` answer the ones before, None begins it."""
        writing = cast("Writing[Any]", self._writing)
        try:
            step = writing.send(cast("Rows", rows))
            while not step:
                step = writing.send([])
        except StopIteration as done:
            self._end(done.value, None)
            return
        except Exception as error:  # noqa: BLE001 - for who waits for it
            self._end(None, error)
            return
        try:
            asked = [self._dumped(statement) for statement in ([step] if isinstance(step, Statement) else step)]
        except Exception as error:  # noqa: BLE001 - as above
            self._end(None, error)
            return
        try:
            for one in asked:
                self._send(one)
            self._pg.pipeline_sync()  # up to here they are one transaction, as libpq's documentation promises
        except Exception as error:  # noqa: BLE001 - as above
            self._spoil(error)
            return
        self._asking = True
        if self._write() and self._watched is not None:
            self._loop.add_writer(self._watched, self._write_on)

    def _end(self, result: object, error: Exception | None) -> None:
        ended, self._ended, self._writing = self._ended, None, None
        if ended is not None:
            ended(result, error and named(error))

    def _dumped(self, statement: Statement) -> _Dumped:
        query, names = _numbered(statement.query)
        values = [statement.values[name] for name in names]
        dumped = self._types.dump_sequence(values, [PyFormat.AUTO] * len(values))
        return _Dumped((query, self._types.types), dumped, self._types.formats)

    def _send(self, asked: _Dumped) -> None:
        name = self._prepared.get(asked.key)
        if name is None:
            name = b"direct_%d" % len(self._prepared)
            self._pg.send_prepare(name, *asked.key)
            self._prepared[asked.key] = name
        self._pg.send_query_prepared(name, asked.values, asked.formats)

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
        self._heard.set()
        try:
            self._pg.consume_input()
            if not self._asking:  # likely the last words of a server that hangs up: see that it did before asking it
                self._pg.consume_input()
            while self._asking and not self._spoilt and not self._pg.is_busy():
                self._take(self._pg.get_result())
        except psycopg.OperationalError as error:
            self._break(error)
        except Exception as error:  # noqa: BLE001 - nobody would hear of it
            self._spoil(error)

    def _take(self, result: PGresult | None) -> None:
        """One result of the statements that were sent; after the last of them, all are committed or none is."""
        if result is None:  # the next statement's come now
            if self._pg.status == ConnStatus.BAD:  # libpq makes no sense of them, or has no memory for them
                given_up, self._error = str(self._error or "the connection was given up"), None
                raise psycopg.OperationalError(given_up)
        elif result.status in _DONE:
            self._last = result
        elif result.status in _FAILED:
            self._error = self._error or psycopg.errors.error_from_result(result)
        elif result.status == ExecStatus.PIPELINE_SYNC:
            self._answered()
        else:  # it would be told for ever
            raise psycopg.NotSupportedError(f"no statement for a pipeline: {ExecStatus(result.status).name}")

    def _answered(self) -> None:
        result, self._last = self._last, None
        self._asking = False
        if self._error or result is None:  # what a wrong statement was to prepare may not be prepared
            self._spoil(psycopg.OperationalError("the server told no result"))
            return
        self._types.set_pgresult(result)
        self._go_on(self._types.load_rows(0, result.ntuples, tuple) if result.nfields else [])

    def _break(self, error: psycopg.Error) -> None:
        self._unwatch()
        self._heard.set()
        self._spoil(error)

    def _spoil(self, error: Exception) -> None:
        self._spoilt = True
        first, self._error = self._error, None
        self._end(None, first or error)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            os.close(self._watched)
            self._watched = None

    async def close(self) -> None:
        """Who waits for an answer hears of it as of a lost connection."""
        self._spoil(psycopg.OperationalError("the connection was closed"))
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
        """Until the server gives up: one that has not begun yet takes no notice."""
        self._heard.clear()
        await self._connection.cancel_safe(timeout=_CANCEL_S)
        while self._watched is not None and not self._over():
            try:
                async with asyncio.timeout(_CANCEL_AGAIN_S):
                    await self._heard.wait()
            except TimeoutError:
                await self._connection.cancel_safe(timeout=_CANCEL_S)
            self._heard.clear()

    def _over(self) -> bool:
        """Whether nothing of what was asked for goes on."""
        while not self._pg.is_busy():
            result = self._pg.get_result()
            if result is None:
                if self._pg.status == ConnStatus.BAD:
                    return True
            elif result.status not in _DONE:  # what follows a failure is left out
                return True
        return False


@lru_cache
def _numbered(query: bytes) -> tuple[bytes, tuple[str, ...]]:
    """With libpq's placeholders in place of psycopg's, and what belongs to each of them."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}" if found[1] else "%"

    return _NAMED.sub(number, query.decode()).encode(), tuple(names)
