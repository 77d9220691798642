"""Source files, of a folder, a git checkout, a zip or alone: snippets are drawn from them, or they are taken whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from random import Random

from app.domain.randomness import derive
from app.domain.seeds import SHORTEST, SeedDraft, snippets
from app.features.seeds.reading import licences
from app.features.seeds.reading.check import checked
from app.features.seeds.schemas import ImportOptions, Rejected

MAX_FILE = 1 << 20  # bytes of one source file
LEFT_OUT = frozenset(
    {"__pycache__", "build", "dist", "node_modules", "site-packages", "target", "third_party", "vendor", "venv"}
)
SUFFIXES = {
    "c": (".c", ".h"),
    "c++": (".cc", ".cpp", ".cxx", ".hpp"),
    "c#": (".cs",),
    "go": (".go",),
    "haskell": (".hs",),
    "java": (".java",),
    "javascript": (".js", ".mjs"),
    "julia": (".jl",),
    "kotlin": (".kt",),
    "ocaml": (".ml",),
    "php": (".php",),
    "python": (".py",),
    "r": (".r", ".R"),
    "ruby": (".rb",),
    "rust": (".rs",),
    "scala": (".scala",),
    "swift": (".swift",),
    "typescript": (".ts",),
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's path below its root, and its first MAX_FILE + 1 bytes."""

    path: PurePosixPath
    content: bytes


def is_wanted(path: PurePosixPath, language: str) -> bool:
    """Whether a path is a source file of `language`, outside hidden folders and those of tools."""
    folders = path.parts[:-1]
    return path.suffix in SUFFIXES[language] and not any(part in LEFT_OUT or part.startswith(".") for part in folders)


def read(
    files: Iterable[SourceFile], origin: str, licence: str, options: ImportOptions
) -> Iterator[SeedDraft | Rejected]:
    """Seeds of the files; each states `origin`, its path and its lines as its source."""
    for file in files:
        text = _text(file)
        if isinstance(text, Rejected):
            yield text
            continue
        own = licences.stated(text) or options.licence or licence
        where = f"{origin} {file.path}".strip()
        if options.kind == "solution":
            yield _passed_over(checked(SeedDraft(text, "solution", where, options.language, own), str(file.path)))
            continue
        rng = Random(derive(options.random_seed, str(file.path)))  # noqa: S311 - a draw, not a secret
        drawn = snippets(text, rng, options.snippets_per_file)
        if not drawn:
            yield Rejected(str(file.path), f"It has no {SHORTEST} lines of code in a row.", passed_over=True)
        for snippet in drawn:
            source = f"{where} {snippet.first}-{snippet.last}"
            draft = SeedDraft(snippet.text, "snippet", source, options.language, own)
            yield _passed_over(checked(draft, f"{file.path} {snippet.first}-{snippet.last}"))


def _text(file: SourceFile) -> str | Rejected:
    where = str(file.path)
    if len(file.content) > MAX_FILE:
        return Rejected(where, f"It is larger than {MAX_FILE} bytes.", passed_over=True)
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Rejected(where, "It is not UTF-8.", remedy="Save it as UTF-8.", passed_over=True)
    if "\x00" in text:
        return Rejected(where, "It is binary.", passed_over=True)
    return text


def _passed_over(found: SeedDraft | Rejected) -> SeedDraft | Rejected:
    """Among many files some are always odd: they do not stop an import."""
    if isinstance(found, SeedDraft):
        return found
    return Rejected(found.where, found.message, found.field, found.remedy, passed_over=True)
