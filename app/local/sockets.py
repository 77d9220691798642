"""A private folder for Unix sockets, short enough for the kernel's limit of 107 bytes on their paths."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from app.errors import Unavailable

_LONGEST_PATH = 107
_LONGEST_NAME = len("/.s.PGSQL.5432.lock")


def socket_folder(data: Path) -> Path:
    """The same folder for the same data every time. Raises Unavailable where no short and private one can be had."""
    name = f"cairn-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:10]}"
    for parent in _parents():
        folder = parent / name
        if len(os.fsencode(folder)) + _LONGEST_NAME <= _LONGEST_PATH and _made_private(folder):
            return folder
    raise Unavailable(
        "No folder for the databases' sockets can be made: each of "
        f"{', '.join(map(str, _parents()))} is too long, not writable, or holds a {name} of somebody else.",
        remedy="Set TMPDIR to a short path that you may write to.",
    )


def _parents() -> list[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    candidates = [Path(runtime)] if runtime else []
    return [*candidates, Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 (checked below)


def _made_private(folder: Path) -> bool:
    """A shared parent may hold a trap of the same name, so the folder must be ours, and no link."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return False
    folder.chmod(0o700)
    return True
