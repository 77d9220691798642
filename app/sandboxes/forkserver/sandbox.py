"""The fork-server sandbox: every program runs in a fork of an interpreter that is isolated already."""

from __future__ import annotations

import marshal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar, cast

from app.domain.ports import Execution, Isolation, Layer, Program
from app.domain.values import Unsupported
from app.errors import SandboxUnavailable
from app.sandboxes.forkserver import layers, modules, protocol, reading
from app.sandboxes.forkserver.libraries import places, wanted
from app.sandboxes.forkserver.pool import Pool
from app.sandboxes.forkserver.process import ZygoteDied

_T = TypeVar("_T")
REPLICAS = 2
_TRIES = 3
_MARSHAL_VERSION = 2  # without references, so that no argument is shared between calls


class ForkServerSandbox:
    """Made by `open`."""

    name: ClassVar[str] = "forkserver"

    def __init__(
        self, pools: Sequence[Pool], heavy: Sequence[Pool], libraries: Sequence[str], report: layers.Report
    ) -> None:
        self._pools = pools
        self._heavy = heavy
        self._libraries = libraries
        self.report = report

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        preload: Sequence[str] = (),
        libraries: Sequence[str] = (),
        size: int = 1,
        minimum: Isolation = Isolation.FILTERED,
        strongest: Isolation = Isolation.FULL,
    ) -> AsyncIterator[ForkServerSandbox]:
        """`size` is the number of processes per replica; they start when first needed. Programs that import one of
        `libraries` have as many of their own.

        `strongest` leaves layers out, to compare levels. Raises IsolationTooWeak below `minimum`, and
        SandboxUnavailable where no isolated interpreter comes up or what it promises does not hold, and LibraryMissing.
        """
        without = layers.left_out(strongest)
        pools = [Pool(size, preload, without, replica) for replica in range(REPLICAS)]
        heavy = [Pool(size, preload, without, replica, libraries) for replica in range(REPLICAS)]
        try:
            report = await _persist(pools[0].open)
            report.demand(minimum)
            places(libraries)
            yield cls(pools, heavy, libraries, report)
        finally:
            for pool in (*pools, *heavy):
                pool.close()

    @property
    def layers(self) -> Sequence[Layer]:
        return self.report.layers

    @property
    def isolation(self) -> Isolation:
        return self.report.isolation

    async def run(self, program: Program, *, replica: int = 0) -> Execution:
        """Raises SandboxUnavailable, and Unsupported for arguments that are no plain values."""
        calls = tuple((call.function, call.arguments) for call in program.calls)
        try:
            payload = marshal.dumps(cast("Any", (program.source, calls)), _MARSHAL_VERSION)
        except ValueError as error:
            raise Unsupported(f"arguments of a call: {error}") from error
        limits = program.limits
        header = protocol.REQUEST.pack(
            protocol.RUN, len(payload), limits.wall_ms, limits.cpu_ms, limits.memory_mb, limits.output_bytes
        )
        heavy = wanted(program.source, self._libraries)
        pool = (self._heavy if heavy else self._pools)[replica]
        wide = heavy or modules.wants_wide(program.source)
        return await _persist(lambda: _run(pool, header, payload, program, wide=wide))


async def _run(pool: Pool, header: bytes, payload: bytes, program: Program, *, wide: bool) -> Execution:
    response = await pool.ask(header, payload, program.limits.wall_ms, wide=wide)
    if not wide and reading.wants_wide(response):
        response = await pool.ask(header, payload, program.limits.wall_ms, wide=True)
    return reading.read(response, len(program.calls))


async def _persist(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Another interpreter takes over where one died. Raises SandboxUnavailable when several did."""
    reasons = []
    for _ in range(_TRIES):
        try:
            return await attempt()
        except (ZygoteDied, reading.Unexplained) as error:
            reasons.append(str(error))
    raise SandboxUnavailable(f"The sandbox failed {_TRIES} times in a row: {'; '.join(reasons)}.")
