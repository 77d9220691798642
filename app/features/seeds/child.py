"""The process that reads files which people bring, with limits on memory and time and without the server's secrets.

A hostile file (a bomb, a broken Parquet page, code that overflows the parser's stack) can end this process and nothing
else. `python -m app.features.seeds.child FORMAT NAME OPTIONS [FOLDER]` reads its standard input, or the folder, and
writes one JSON object per line: `seed`, `rejected`, `refused` (the whole file), and `end` as the last one.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from app.domain.seeds import SeedDraft
from app.errors import AppError, InvalidInput
from app.features.seeds.reading import archive, folder, jsonl, sources
from app.features.seeds.reading.check import checked
from app.features.seeds.schemas import Format, ImportOptions, Rejected

MEMORY = 2 << 30  # bytes of address space
CPU_S = 900
MAX_CHARACTERS = 1 << 28  # of all seeds together: a few bytes of Parquet can stand for more


Told = tuple[str, dict[str, object], int]
"""What kind of thing was found, its fields, and how many characters it holds."""


def main(form: Format, name: str, options_json: str, root: str = ".") -> None:
    options = ImportOptions.model_validate_json(options_json)
    confined(name, lambda: _told(read(form, name, Path(root), sys.stdin.buffer, options)), MAX_CHARACTERS)


def _told(found: Iterator[SeedDraft | Rejected]) -> Iterator[Told]:
    for item in found:
        if isinstance(item, Rejected):
            yield "rejected", asdict(item), 0
        else:
            yield "seed", asdict(item), len(item.text)


def confined(name: str, found: Callable[[], Iterator[Told]], most: int) -> None:
    """Tells what is found, under limits, up to `most` characters in all."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read_so_far = 0
    try:
        for what, fields, characters in found():
            read_so_far += characters
            if read_so_far > most:
                raise InvalidInput(
                    f"{name} holds more than {most} characters of code and text.", field="file", remedy="Split it."
                )
            _tell(what, fields)
    except AppError as error:
        _tell("refused", {"message": error.message, "field": error.field, "remedy": error.remedy})
    except MemoryError:
        _tell(
            "refused", {"message": f"{name} needs too much memory to be read.", "field": "file", "remedy": "Split it."}
        )
    _tell("end", {})


def read(form: Format, name: str, root: Path, file: BinaryIO, options: ImportOptions) -> Iterator[SeedDraft | Rejected]:
    """The seeds of one file or folder, as its format has it. Raises InvalidInput."""
    if form == "folder":
        return folder.read(root, options)
    if form == "zip":
        return archive.read(file, name, options)
    if form == "parquet":
        from app.features.seeds.reading import parquet

        return parquet.read(file, name, options)
    if form == "jsonl":
        return jsonl.read(file, name, options)
    if form == "file":
        one = sources.SourceFile(PurePosixPath(name), file.read(sources.MAX_FILE + 1))
        return sources.read([one], options.source, "", options)
    return iter([_whole(file, name, options)])


def _whole(file: BinaryIO, name: str, options: ImportOptions) -> SeedDraft | Rejected:
    """All of a pasted text as one seed."""
    text = file.read(sources.MAX_FILE).decode("utf-8", "replace")
    return checked(SeedDraft(text, options.kind, options.source or name, options.language, options.licence), name)


def _tell(what: str, fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"what": what, **fields}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
