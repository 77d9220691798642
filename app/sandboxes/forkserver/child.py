"""Runs one program in a process that can do nothing but compute, and leaves one frame per call behind.

Nothing here is trusted once the program has started: it shares this interpreter and may change anything in it. That is
why no gold value is here, nothing is compared here, and all that comes out is values of the closed codec.
"""

from __future__ import annotations

import gc
import json
import marshal
import os
import sys
from mmap import mmap
from types import ModuleType
from typing import Any

from app.domain.values.codec import RESULT_DEPTH, Unsupported, dumps
from app.domain.values.types import Arguments
from app.sandboxes.forkserver import protocol

_MODULE = "program"
_type_name = type.__dict__["__name__"].__get__  # immune to a metaclass that defines __name__


class Channel:
    """Frames at the start of the shared memory, in `room` bytes; the process ends where one does not fit."""

    def __init__(self, area: mmap, room: int) -> None:
        self._area = area
        self._room = room
        self._end = protocol.USED.size

    def send(self, kind: int, text: str = "") -> None:
        data = text.encode("ascii")
        start = self._end + protocol.FRAME.size
        end = start + len(data)
        if end > self._room:
            os._exit(protocol.NO_ROOM)
        protocol.FRAME.pack_into(self._area, self._end, kind, len(data))
        self._area[start:end] = data
        protocol.USED.pack_into(self._area, 0, end - protocol.USED.size)
        self._end = end


def run(payload: bytes | memoryview, channel: Channel, builtins: dict[str, Any]) -> None:
    """`payload` is marshalled by the driver: the source, and for each call the function's name and its arguments.

    In this direction, from the trusted side to the other, marshal is safe, and the fastest.
    """
    source, calls = marshal.loads(payload)  # noqa: S302 - see above
    module = ModuleType(_MODULE)
    module.__dict__["__builtins__"] = builtins
    sys.modules[_MODULE] = module
    gc.enable()
    try:
        exec(compile(source, "<program>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the purpose
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
        text = _describe(error)
        for _ in calls:
            channel.send(protocol.LOADING, text)
        return
    channel.send(protocol.LOADED)
    for function, arguments in calls:
        channel.send(*_result(module, function, arguments))


def _result(module: ModuleType, function: str, arguments: Arguments) -> tuple[int, str]:
    if function not in module.__dict__:
        return protocol.LOADING, json.dumps(["NameError", f"the program defines no {function!r}"])
    try:
        return protocol.VALUE, dumps(module.__dict__[function](*arguments), RESULT_DEPTH)
    except Unsupported as error:
        return protocol.UNSUPPORTED, json.dumps(["", str(error)])
    except MemoryError:
        return protocol.MEMORY, ""
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
        return protocol.EXCEPTION, _describe(error)


def _describe(error: BaseException) -> str:
    """Name and message as JSON, of an exception whose class is a stranger's."""
    try:
        detail = str(error)
    except BaseException:  # noqa: BLE001 - a __str__ that raises has no message
        detail = ""
    detail = detail if type(detail) is str else ""
    return json.dumps([_type_name(type(error))[: protocol.NAME_LENGTH], detail[: protocol.DETAIL_LENGTH]])
