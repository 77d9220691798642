"""What services print goes to files, so that the terminal stays free; the last start's file is kept beside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_LARGEST_BYTES = 16 << 20
_SHOWN_LINES = 12


def fresh(folder: Path, name: str) -> Path:
    """An empty log file; the one before becomes `NAME.log.1`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    if log.exists():
        log.replace(_previous(log))
    log.touch(mode=0o600)
    return log


def cut_back(log: Path, largest: int = _LARGEST_BYTES) -> None:
    """Empties a log that grew too large, while its writer goes on appending; its text moves to `NAME.log.1`."""
    if log.exists() and log.stat().st_size > largest:
        shutil.copyfile(log, _previous(log))
        os.truncate(log, 0)


def tail(log: Path) -> str:
    """The last lines, indented, for an error message."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])


def _previous(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")
