"""Coverage-guided fuzzing of what the driver reads from the other side of the wall: `make fuzz`.

Atheris is no dependency of the tests; its make target installs it apart. The first byte of an input chooses the reader.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["app.domain.values", "app.sandboxes.forkserver.reading"]):
    from app.domain.ports import Status
    from app.domain.values import LiteralError, dumps, loads, parse_literal, same
    from app.sandboxes.forkserver import protocol, reading
    from app.sandboxes.forkserver.process import Response


def frames(data: bytes) -> None:
    calls = data[0] % 4 if data else 0
    with contextlib.suppress(reading.Unexplained):
        status = int.from_bytes(data[1:3], "little") if data[:1] > b"\x80" else 0
        outcomes = reading.read(Response(protocol.ENDED, 1, 1, 1, status, data[3:]), calls).outcomes
        assert len(outcomes) == calls
        for outcome in outcomes:
            if outcome.status is Status.VALUE:
                canonical(dumps(outcome.value))


def canonical(text: str) -> None:
    with contextlib.suppress(ValueError):
        value = loads(text)
        assert same(loads(dumps(value)), value)


def literal(text: str) -> None:
    with contextlib.suppress(LiteralError):
        value = parse_literal(text)
        assert same(loads(dumps(value)), value)


def one(data: bytes) -> None:
    choice, rest = data[:1], data[1:]
    if choice < b"\x55":
        frames(rest)
    else:
        text = rest.decode("latin-1") if choice > b"\xf0" else rest.decode("utf-8", "replace")
        (canonical if choice < b"\xaa" else literal)(text)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
