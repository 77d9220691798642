"""A zip of source files, read in place: nothing is unpacked to disk."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from app.domain.seeds import SeedDraft
from app.errors import InvalidInput
from app.features.seeds.reading import licences, sources
from app.features.seeds.reading.sources import MAX_FILE, SourceFile
from app.features.seeds.schemas import ImportOptions, Rejected

MAX_ENTRIES = 100_000
MAX_UNPACKED = 1 << 30  # bytes of all source files together
_ENCRYPTED = 0x1
_DRIVE = re.compile("[A-Za-z]:")


def read(file: BinaryIO, name: str, options: ImportOptions) -> Iterator[SeedDraft | Rejected]:
    """Raises InvalidInput for an archive that is damaged, encrypted, a bomb, or reaches outside of itself."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise _refused(name, f"It has {len(entries)} entries; {MAX_ENTRIES} is the most.", "Split it.")
            for entry in entries:
                _check(entry, name)
            files = _files(archive, entries, options.language, name)
            yield from sources.read(files, options.source or name, _licence(archive, entries), options)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        ValueError,
        UnicodeDecodeError,
    ) as error:
        raise _refused(name, f"It can't be read as a zip: {str(error)[:200]}", "Write it again.") from error


def _check(entry: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(entry.filename):
        raise _refused(name, f"The entry {entry.filename!r:.200} points outside of it.", "Remove that entry.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _refused(name, f"The entry {entry.filename!r:.200} is a link.", "Put the file itself in.")
    if entry.flag_bits & _ENCRYPTED:
        raise _refused(name, f"The entry {entry.filename!r:.200} is encrypted.", "Write the zip without a password.")


def _files(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], language: str, name: str) -> Iterator[SourceFile]:
    unpacked = 0
    for entry in sorted(entries, key=lambda entry: entry.filename):
        path = PurePosixPath(entry.filename)
        if entry.is_dir() or not sources.is_wanted(path, language):
            continue
        content = _content(archive, entry)
        unpacked += len(content)
        if unpacked > MAX_UNPACKED:
            raise _refused(name, f"It unpacks to more than {MAX_UNPACKED} bytes of source.", "Split it.")
        yield SourceFile(path, content)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The first bytes only, whatever size the entry claims."""
    with archive.open(entry) as file:
        return file.read(MAX_FILE + 1)


def _licence(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str:
    """Of the licence file that lies highest: archives often hold one top folder."""
    found = [entry for entry in entries if licences.FILE_NAMES.match(PurePosixPath(entry.filename).name)]
    for entry in sorted(found, key=lambda entry: (entry.filename.count("/"), entry.filename))[:10]:
        if name := licences.recognised(_content(archive, entry).decode("utf-8", "replace")):
            return name
    return ""


def _refused(name: str, message: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"{name}: {message}", field="file", remedy=remedy)
