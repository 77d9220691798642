"""Benchmark sets as they come in and as they are shown, and what variants share with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_ITEMS = 50_000  # in one set
MAX_GRAMS = 2_000_000  # stretches of words of one set, which the importing process holds at once
MAX_TEXT = 262_144  # characters of a statement or of code


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """A problem of a file. `grams`, `bands` and `signature` (hexadecimal, "" for none) are what it is compared by."""

    name: str
    statement: str
    code: str
    grams: list[int]
    bands: list[int]
    signature: str

    @property
    def comparable(self) -> bool:
        return bool(self.grams or self.signature)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `short` items have too few words and too little code to be recognised."""

    benchmark_set_id: int
    name: str
    added: int
    short: int


@dataclass(frozen=True, slots=True)
class SetRow:
    """A set in a list: how many runs are compared with it, and how many of their variants share something."""

    id: int
    name: str
    origin: str
    item_count: int
    created_at: datetime
    created_by: str | None
    run_count: int
    variant_count: int


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A problem of a set, and how many variants share most of all with it."""

    id: int
    position: int
    name: str
    statement: str
    code: str
    comparable: bool
    variant_count: int


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """What a variant shares with a set. `grams` counts the stretches of words; `similarity` is that of the code."""

    set_id: int
    set_name: str
    item_id: int
    item_name: str
    kind: str
    grams: int
    similarity: float | None
    passage: str


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The last time that all variants of a run were compared again."""

    state: str
    done: int
    total: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contamination:
    """What a run was compared with: `sets` are names by id. `missing` counts sets that were imported since."""

    sets: dict[int, str]
    missing: int
    valid: int
    contaminated: int
    check: CheckRow | None

    @property
    def checking(self) -> bool:
        return self.check is not None and self.check.state == "running"
