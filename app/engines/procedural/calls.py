"""Calls of the algorithm inside the sandbox, several per process, so that one that runs away costs only itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from app.domain.ports import Call, Limits, Outcome, Program, Sandbox, Status
from app.domain.values import Arguments, Value
from app.errors import EngineError

# The budget of steps inside ends ordinary work long before these limits: they are for loops in C that count no steps,
# and generous enough never to end anything else on a slow machine.
_CPU_MS = 4_000
_WALL_PER_CPU = 10
_MEMORY_MB = 512
_ENDED = frozenset({Status.TIMEOUT, Status.MEMORY, Status.OUTPUT_LIMIT, Status.CRASHED})


class Entry:
    """The functions of app.engines._procedural.entry, by name."""

    MODULES: ClassVar[tuple[str, ...]] = ("app.engines._procedural.entry",)

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def one(self, function: str, arguments: Arguments, *, effort: float = 1.0) -> Value:
        """The value of one call; None where it hit a limit. Raises EngineError and SandboxUnavailable."""
        return (await self.each(function, [arguments], effort=effort))[0]

    async def each(self, function: str, calls: Sequence[Arguments], *, effort: float = 1.0) -> list[Value]:
        """The value of every call, None for one that hit a limit, all in one process where none does.

        `effort` scales the limits. Raises EngineError and SandboxUnavailable.
        """
        limits = Limits(
            wall_ms=int(_WALL_PER_CPU * _CPU_MS * effort), cpu_ms=int(_CPU_MS * effort), memory_mb=_MEMORY_MB
        )
        source = f"from app.engines._procedural.entry import {function} as f"
        values: list[Value] = []
        while len(values) < len(calls):
            rest = calls[len(values) :]
            program = Program(source, tuple(Call("f", arguments) for arguments in rest), limits)
            outcomes = (await self._sandbox.run(program)).outcomes
            fine = next((i for i, outcome in enumerate(outcomes) if outcome.status in _ENDED), len(outcomes))
            values += [_value(function, outcome) for outcome in outcomes[:fine]]
            if fine == 0:
                # It had the whole limit for itself; one that came later is tried again as the first.
                values.append(None)
        return values


def _value(function: str, outcome: Outcome) -> Value:
    if outcome.status is Status.VALUE:
        return outcome.value
    if outcome.error in ("RecursionError", "MemoryError"):
        return None  # code nested too deeply to be worked with
    reason = f"{outcome.error} {outcome.detail}".strip() or outcome.status.value
    raise EngineError("internal", f"The procedural engine failed in {function}: {reason}.", retryable=False)
