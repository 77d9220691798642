"""JSONL files of any size: problems are found by id, answers read one at a time, and errors say where they stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, TypeVar

from app.errors import InvalidForm, InvalidInput
from app.features.grading.schemas import Answer, KnownProblem, read_answer, read_problem

T = TypeVar("T")
MAX_LINE = 16 << 20
_KEPT = 256  # problems held decoded


class ProblemFile:
    """Where in a file each problem stands. Holds ids and offsets only; the file must not change meanwhile."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidInput where the file can't be read, a line is no problem, or an id comes twice."""
        self.name = str(path)
        self._file = _opened(path)
        self._lines: dict[str, tuple[int, int]] = {}
        self._read = lru_cache(_KEPT)(self._read_at)
        try:
            self._find()
        except InvalidInput:
            self.close()
            raise

    def _find(self) -> None:
        offset = 0
        for number, line in _lines(self._file, self.name):
            if line.strip():
                known = _at(self.name, number, read_problem, line)
                if known.id in self._lines:
                    first = self._lines[known.id][1]
                    raise _wrong(self.name, number, "id", f"{known.id!r} stands in line {first} already")
                self._lines[known.id] = offset, number
            offset += len(line)

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, name: str) -> bool:
        return name in self._lines

    def __getitem__(self, name: str) -> KnownProblem:
        return self._read(*self._lines[name])

    def close(self) -> None:
        self._file.close()

    def _read_at(self, offset: int, number: int) -> KnownProblem:
        self._file.seek(offset)
        return _at(self.name, number, read_problem, self._file.readline(MAX_LINE))


def read_answers(file: BinaryIO, name: str, problems: ProblemFile) -> Iterator[Answer]:
    """Every answer in order. Raises InvalidInput at a line that is none, or whose id no problem has."""
    for number, line in _lines(file, name):
        if not line.strip():
            continue
        answer = _at(name, number, read_answer, line)
        if answer.id not in problems:
            raise _wrong(name, number, "id", f"there is no problem {answer.id[:100]!r} in {problems.name}")
        yield answer


def open_answers(path: Path) -> BinaryIO:
    """Raises InvalidInput."""
    return _opened(path)


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidInput(
            f"{error.strerror}.", field=str(path), remedy="Name a JSONL file that can be read."
        ) from error
    if file.peek(4)[:4] == b"PAR1":
        file.close()
        raise InvalidInput("This is a Parquet file.", field=str(path), remedy="Give the JSONL file of the same export.")
    return file


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            raise _wrong(name, number, "line", f"it has more than {MAX_LINE >> 20} MB")
        yield number, line


def _at(name: str, number: int, read: Callable[[object], T], line: bytes) -> T:
    try:
        data = json.loads(line)
    except ValueError as error:  # bytes that are no UTF-8 included
        raise _wrong(name, number, "line", f"not JSON ({error})") from error
    except RecursionError as error:
        raise _wrong(name, number, "line", "not JSON (nested too deeply)") from error
    try:
        return read(data)
    except InvalidForm as error:
        field, message = next(iter(error.errors.items()))
        raise _wrong(name, number, field, message) from error


def _wrong(name: str, number: int, field: str, message: str) -> InvalidInput:
    what = message[:1].upper() + message[1:]
    return InvalidInput(what.rstrip(".") + ".", field=f"{name}, line {number}, {field}")
