"""The data folder: made private, locked against a second instance, with a note on who serves there."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from app.errors import Conflict, StorageFull, Unavailable

_ROOM_BYTES = 200 << 20  # a fresh cluster takes 40 MB, its write-ahead log up to 80 MB on top at first


@dataclass(frozen=True, slots=True)
class Serving:
    """What a running stack tells those who join it."""

    pid: int
    database_url: str
    redis_url: str
    web_url: str = ""


def prepare(path: Path) -> Path:
    """Makes the folder, readable to its owner only, and returns its absolute path."""
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unusable(folder, error) from error
    if shutil.disk_usage(folder).free < _ROOM_BYTES:
        raise StorageFull(
            f"Less than {_ROOM_BYTES >> 20} MB are free for {folder}.",
            remedy="Free disk space, or choose another folder with CAIRN_DATA_DIR.",
        )
    return folder.resolve()


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Holds the folder for this process. Raises Conflict when another one does; a killed owner lets go at once."""
    with _locked(folder / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
        _note(folder).unlink(missing_ok=True)  # of an owner that was killed
        yield


@contextmanager
def joined(folder: Path) -> Iterator[None]:
    """Marks this process as a guest of the folder's owner."""
    with _locked(folder / "guests", fcntl.LOCK_SH):
        yield


@asynccontextmanager
async def serving(folder: Path, note: Serving, *, await_guests: bool) -> AsyncIterator[None]:
    """Lets other commands join for the length of the block; at its end they are waited for, or not."""
    fresh = _note(folder).with_suffix(".new")
    fresh.touch(mode=0o600)  # addresses may hold passwords
    fresh.write_text(json.dumps(asdict(note)))
    fresh.replace(_note(folder))
    try:
        yield
        while await_guests and not _withdrawn(folder):  # noqa: ASYNC110 (guests are other processes)
            await asyncio.sleep(0.2)
    finally:
        _note(folder).unlink(missing_ok=True)


def announced(folder: Path) -> Serving | None:
    """Who serves here; None while nobody has said so. Only true while the folder is owned."""
    try:
        return Serving(**json.loads(_note(folder).read_text()))
    except FileNotFoundError:
        return None


def _withdrawn(folder: Path) -> bool:
    """Takes the note away in a moment without guests, while none can come."""
    try:
        with _locked(folder / "guests", fcntl.LOCK_EX | fcntl.LOCK_NB):
            _note(folder).unlink(missing_ok=True)
            return True
    except Conflict:
        return False


def _note(folder: Path) -> Path:
    return folder / "serving.json"


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError as error:
            raise Conflict(_in_use(path.parent), remedy=f"End that one, or {_OTHER_FOLDER}.") from error
        yield
    finally:
        os.close(descriptor)


_OTHER_FOLDER = "choose another folder with CAIRN_DATA_DIR"


def _in_use(folder: Path) -> str:
    owner = announced(folder)
    if owner is None:
        return f"Another cairn command is using {folder}."
    at = f" at {owner.web_url}" if owner.web_url else ""
    return f"Cairn already runs on {folder}{at} (process {owner.pid})."


def _unusable(folder: Path, error: OSError) -> Exception:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StorageFull(f"There is no room for {folder}.", remedy=f"Free disk space, or {_OTHER_FOLDER}.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return Unavailable(
                f"{folder} can't be written: {error.strerror}.",
                remedy=f"Give user {os.geteuid()} the right to write there, or {_OTHER_FOLDER}.",
            )
        case errno.ENOTDIR | errno.EEXIST:
            return Unavailable(f"{folder} is no folder.", remedy=f"Move that file away, or {_OTHER_FOLDER}.")
        case _:
            return Unavailable(f"{folder} can't be used: {error.strerror}.", remedy=f"Or {_OTHER_FOLDER}.")
