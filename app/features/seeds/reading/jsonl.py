"""JSON Lines: one object per line, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from app.domain.seeds import SeedDraft
from app.features.seeds.reading.records import seed_of
from app.features.seeds.schemas import ImportOptions, Rejected

MAX_LINE = 1 << 20  # bytes: a seed's text at its longest, escaped, has room in it
_BOM = b"\xef\xbb\xbf"


def read(file: BinaryIO, name: str, options: ImportOptions) -> Iterator[SeedDraft | Rejected]:
    for where, record in records(file, name):
        yield record if isinstance(record, Rejected) else seed_of(record, where, options)


def records(
    file: BinaryIO, name: str, longest: int = MAX_LINE
) -> Iterator[tuple[str, Mapping[str, object] | Rejected]]:
    """(where it stands, what it holds) of every line; `longest` is in bytes."""
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        where = f"{name} line {number}"
        if len(line) > longest:
            _skip_line(file, line)
            yield where, Rejected(where, f"It is longer than {longest} bytes.", remedy="Split it, or remove it.")
        elif line := line.removeprefix(_BOM).strip():
            yield where, _parsed(line, where)


def _parsed(line: bytes, where: str) -> Mapping[str, object] | Rejected:
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line[error.start]:02x} at column {error.start + 1}"
        return Rejected(where, f"It is not UTF-8 ({byte}).", remedy="Save the file as UTF-8.")
    except json.JSONDecodeError as error:
        return Rejected(
            where, f"It is not JSON: {error.msg} (column {error.colno}).", remedy="Write one object per line."
        )
    except RecursionError:
        return Rejected(where, "It is nested too deeply.", remedy="Write one flat object per line.")
    except ValueError as error:  # a number with thousands of digits
        return Rejected(where, f"It can't be read: {error}.", remedy="Write one flat object per line.")
    if not isinstance(record, dict):
        return Rejected(where, "It is no object.", remedy='Write one object per line, such as {"text": "..."}.')
    return record


def _skip_line(file: BinaryIO, begun: bytes) -> None:
    while begun and not begun.endswith(b"\n"):
        begun = file.readline(MAX_LINE)
