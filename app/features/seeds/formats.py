"""Which format a file has, by its name."""

from __future__ import annotations

from pathlib import Path, PurePath

from app.errors import InvalidInput
from app.features.seeds.reading.sources import SUFFIXES
from app.features.seeds.schemas import Format

ACCEPTED = ".jsonl, .parquet, .zip, or a source file such as .py"
_BY_SUFFIX: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".zip": "zip"}
_SOURCE_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def of_name(name: str) -> Format:
    """Raises InvalidInput for a name that tells no format."""
    suffix = PurePath(name).suffix
    if form := _BY_SUFFIX.get(suffix.lower()):
        return form
    if suffix in _SOURCE_SUFFIXES:
        return "file"
    raise InvalidInput(f"{name} is of no format that is read here.", field="file", remedy=f"Bring {ACCEPTED}.")


def of_path(path: Path) -> Format:
    """Raises InvalidInput where there is nothing to read."""
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise InvalidInput(f"{path} is no file and no folder.", field="path", remedy="Check its spelling.")
    return of_name(path.name)


def check_language(form: Format, language: str) -> None:
    """Raises InvalidInput where source files are picked by a language whose suffixes are not known."""
    if form in ("zip", "folder") and language not in SUFFIXES:
        raise InvalidInput(
            f"The files of {language!r} are not known.",
            field="language",
            remedy=f"Choose one of: {', '.join(SUFFIXES)}.",
        )
