"""A folder on this machine; a git checkout gives its commit to the source of every seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from app.domain.seeds import SeedDraft
from app.features.seeds.reading import licences, sources
from app.features.seeds.reading.sources import MAX_FILE, SourceFile
from app.features.seeds.schemas import ImportOptions, Rejected

_COMMIT_DIGITS = 12


def read(root: Path, options: ImportOptions) -> Iterator[SeedDraft | Rejected]:
    commit = commit_of(root)
    origin = root.resolve().name + (f"@{commit[:_COMMIT_DIGITS]}" if commit else "")
    return sources.read(_files(root, options.language), options.source or origin, _licence(root), options)


def _files(root: Path, language: str) -> Iterator[SourceFile]:
    """In the order of their paths; links are not followed."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in sources.LEFT_OUT)
        for name in sorted(names):
            path = Path(folder, name)
            relative = PurePosixPath(path.relative_to(root).as_posix())
            if sources.is_wanted(relative, language) and path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    yield SourceFile(relative, file.read(MAX_FILE + 1))


def _licence(root: Path) -> str:
    for path in sorted(root.iterdir()):
        if licences.FILE_NAMES.match(path.name) and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if name := licences.recognised(file.read(MAX_FILE).decode("utf-8", "replace")):
                    return name
    return ""


def commit_of(root: Path) -> str:
    """The commit that is checked out, read from git's own files; empty outside of a checkout."""
    git = root / ".git"
    if git.is_file():  # a worktree or a submodule: the file names the real folder
        git = root / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    head = git / "HEAD"
    if not head.is_file():
        return ""
    state = head.read_text(encoding="utf-8").strip()
    if not state.startswith("ref:"):
        return state
    ref = state.removeprefix("ref:").strip()
    common = git / (git / "commondir").read_text(encoding="utf-8").strip() if (git / "commondir").is_file() else git
    for place in (git, common):
        if (place / ref).is_file():
            return (place / ref).read_text(encoding="utf-8").strip()
    packed = common / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split(" ", 1)[0] for line in lines if line.endswith(f" {ref}")), "")
