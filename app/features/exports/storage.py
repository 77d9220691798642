"""Rendered files on disk, named by their hash: what is there under a name has that content, or is not served.

A file appears whole or not at all: it is written beside its place and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

from app.config import settings
from app.errors import StorageFull, Unavailable

# EFBIG is a limit on the size of one file: no room either, as far as this process is concerned.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def place(sha256: str, suffix: str) -> Path:
    return settings().data_dir / "exports" / sha256[:2] / f"{sha256}.{suffix}"


def is_whole(path: Path, sha256: str, size: int) -> bool:
    """Whether the file is there with this content. It is read again whenever it was touched."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_size == size and _hash(path, found.st_mtime_ns, found.st_ino) == sha256


def write(path: Path, data: bytes) -> None:
    """Puts `data` there. Raises StorageFull, or Unavailable where it can't be written; nothing is there then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, data)
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                f"There is no room for {path.name} ({len(data):,} bytes) in {path.parent}.",
                remedy="Free disk space, then ask again; nothing was lost.",
            ) from error
        raise Unavailable(
            f"{path.parent} can't be written: {error.strerror}.", remedy="Check who owns the folder (CAIRN_DATA_DIR)."
        ) from error


def _write_whole(path: Path, data: bytes) -> None:
    beside = path.with_name(f".writing-{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@lru_cache(maxsize=256)
def _hash(path: Path, changed_ns: int, inode: int) -> str:  # noqa: ARG001 - they tell one state of a file from the next
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
