"""Runs the reading process and hands on what it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from app.domain.seeds import SeedDraft
from app.errors import InvalidInput
from app.features.seeds.schemas import Format, ImportOptions, Rejected

_ROOT = Path(__file__).resolve().parents[3]
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TMPDIR")


def read(
    form: Format, name: str, options: ImportOptions, *, file: IO[bytes] | None = None, folder: Path | None = None
) -> Iterator[SeedDraft | Rejected]:
    """Seeds and rejections, one by one, from an open file (with a descriptor) or a folder.

    Raises InvalidInput where the whole of it cannot be used. Stopping early ends the process.
    """
    arguments = [form, name, options.model_dump_json(), *([str(folder.resolve())] if folder else [])]
    for what, told in tell("app.features.seeds.child", arguments, name, file):
        yield SeedDraft(**told) if what == "seed" else Rejected(**told)


def tell(
    module: str, arguments: Sequence[str], name: str, file: IO[bytes] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the reading process `module` says: (kind, fields). Raises InvalidInput as it does."""
    if file is not None:  # the process shares the descriptor: all must be written, and the offset at the beginning
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=file if file is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        env={key: os.environ[key] for key in _KEPT if key in os.environ} | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for by PIPE
        try:
            for line in process.stdout:
                told = json.loads(line)
                what = told.pop("what")
                if what == "end":
                    return
                if what == "refused":
                    raise InvalidInput(told["message"], field=told["field"], remedy=told["remedy"])
                yield what, told
        finally:
            process.kill()
    raise InvalidInput(
        f"{name} could not be read: its reader ran out of memory or time, or crashed.",
        field="file",
        remedy="Check that the file is whole; split it where it is very large.",
    )
