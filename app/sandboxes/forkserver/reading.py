"""From what a child left behind to one outcome per call: the trusted side of the wall, where nothing is believed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

from app.domain.ports import Execution, Outcome, Status
from app.domain.values import loads
from app.domain.values.codec import RESULT_DEPTH
from app.sandboxes.forkserver import protocol
from app.sandboxes.forkserver.process import Response


class Unexplained(Exception):
    """The child was killed by somebody else: no word about the program."""


def read(response: Response, calls: int) -> Execution:
    """Raises Unexplained."""
    ending = _ending(response)
    loaded = False
    outcomes: list[Outcome] = []
    for kind, text in _frames(response.frames):
        if kind == protocol.LOADED and not loaded and not outcomes:
            loaded = True
            continue
        outcome = _outcome(kind, text)
        if outcome is None or len(outcomes) == calls:
            ending = Outcome(Status.CRASHED, detail="a broken result channel")
            break
        outcomes.append(outcome)
    if len(outcomes) < calls or ending.status is not Status.VALUE:
        outcomes = _after(outcomes, ending, calls, loading=not loaded and not outcomes)
    return Execution(tuple(outcomes), response.wall_us, response.cpu_us, response.max_rss_kb)


def wants_wide(response: Response) -> bool:
    """Whether a narrow interpreter left the program to a wide one. From a wide one it is a crash as any other."""
    left = os.WIFEXITED(response.status) and os.WEXITSTATUS(response.status) == protocol.WANTS_WIDE
    return response.end == protocol.ENDED and left


def escapes(response: Response) -> list[str]:
    """What an attempt at getting out achieved: see attempts.py. Raises Unexplained where it did not say."""
    frames = list(_frames(response.frames))
    if _ending(response).status is not Status.VALUE or [kind for kind, _ in frames] != [
        protocol.LOADED,
        protocol.VALUE,
    ]:
        raise Unexplained("the walls could not be tried")
    achieved: list[str] = json.loads(frames[1][1])
    return achieved


def _after(outcomes: list[Outcome], ending: Outcome, calls: int, *, loading: bool) -> list[Outcome]:
    """The calls that never came back share the ending. All calls do where all came back, yet the end was not clean."""
    if ending.status is Status.VALUE:
        ending = Outcome(Status.CRASHED, detail="it ended before its calls did")
    ending = Outcome(ending.status, detail=ending.detail, loading=loading)
    kept = outcomes if len(outcomes) < calls else []
    return kept + [ending] * (calls - len(kept))


def _ending(response: Response) -> Outcome:
    """How the process ended; VALUE stands for a clean end. Raises Unexplained."""
    try:
        return _named(response)
    except ValueError as error:
        raise Unexplained(f"an interpreter told of an end that no process has ({error})") from error


def _named(response: Response) -> Outcome:
    """Raises Unexplained, and ValueError for what only a zygote that was taken over can say."""
    if response.end not in (protocol.ENDED, protocol.DEADLINE):
        raise ValueError(f"end {response.end}")
    if response.end == protocol.DEADLINE:
        return Outcome(Status.TIMEOUT, detail="its time was used up")
    code = os.waitstatus_to_exitcode(response.status)
    if code == -signal.SIGKILL:
        raise Unexplained("a program was killed from outside, most likely for want of memory on the machine")
    if code < 0:
        return Outcome(Status.CRASHED, detail=f"signal {signal.Signals(-code).name}")
    if code == protocol.NO_MEMORY:
        return Outcome(Status.MEMORY)
    if code == protocol.NO_ROOM:
        return Outcome(Status.OUTPUT_LIMIT)
    return Outcome(Status.VALUE if code == protocol.CLEAN else Status.CRASHED, detail=f"exit status {code}")


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Frames up to the first that is cut short, which comes out with an impossible kind."""
    position = 0
    while position < len(data):
        if position + protocol.FRAME.size > len(data):
            yield -1, b""
            return
        kind, size = protocol.FRAME.unpack_from(data, position)
        position += protocol.FRAME.size + size
        yield (kind if position <= len(data) else -1), data[position - size : position]


def _outcome(kind: int, text: bytes) -> Outcome | None:
    """None for a frame that our own child never writes."""
    try:
        if kind == protocol.VALUE:
            return Outcome(Status.VALUE, value=loads(text.decode("ascii"), RESULT_DEPTH))
        if kind == protocol.MEMORY:
            return Outcome(Status.MEMORY)
        if kind not in (protocol.EXCEPTION, protocol.UNSUPPORTED, protocol.LOADING):
            return None
        name, detail = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    if type(name) is not str or type(detail) is not str:
        return None
    name, detail = name[: protocol.NAME_LENGTH], detail[: protocol.DETAIL_LENGTH]
    if kind == protocol.UNSUPPORTED:
        return Outcome(Status.UNSUPPORTED, detail=detail)
    loading = kind == protocol.LOADING
    if name == "MemoryError":
        return Outcome(Status.MEMORY, loading=loading)
    return Outcome(Status.EXCEPTION, error=name, detail=detail, loading=loading)
