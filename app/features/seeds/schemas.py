"""What comes in with an import of seeds, and what it tells afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.messages import Spelled

Kind = Literal["solution", "snippet"]
Format = Literal["jsonl", "parquet", "zip", "folder", "file", "text"]

MAX_TEXT = 65_536  # characters of one seed
MAX_SEEDS = 200_000  # in one set: a run has at most as many chains
MAX_SNIPPETS_PER_FILE = 50
NO_LICENCE = "-"  # in a query string: seeds that state none


class ImportOptions(BaseModel):
    """How seeds are read. What a record of JSONL or Parquet says of itself goes before what is said here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = Field(
        default="snippet",
        description="solution: a whole program, which must parse; snippet: a piece, drawn where files come in.",
    )
    language: Annotated[str, Spelled(r"[a-z0-9+#.-]{1,40}", "must be a language in small letters, such as python")] = (
        Field(default="python", description="Programming language; which source files are read.")
    )
    licence: str = Field(default="", max_length=200, description="SPDX name, where the seeds do not say their own.")
    source: str = Field(default="", max_length=500, description="Where the seeds come from, where they do not say it.")
    snippets_per_file: int = Field(
        default=1, ge=1, le=MAX_SNIPPETS_PER_FILE, description="Snippets drawn from each source file at most."
    )
    random_seed: int = Field(default=0, ge=0, lt=2**63, description="The same number draws the same snippets.")
    skip_bad: bool = Field(
        default=False, description="Leave out records that cannot be used, and report them; else one stops the import."
    )


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record or file that is no seed: where it stands, which field is wrong, what to do.

    `passed_over` where that is no fault, such as a file in a folder that is too short for a snippet.
    """

    where: str
    message: str
    field: str = ""
    remedy: str = ""
    passed_over: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `rejected` holds the first of `rejected_count`."""

    seed_set_id: int
    name: str
    added: int
    duplicates: int
    rejected_count: int
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class SetRow:
    """A seed set in a list."""

    id: int
    name: str
    origin: str
    seed_count: int
    created_at: datetime
    created_by: str | None
    run_count: int


@dataclass(frozen=True, slots=True)
class SeedRow:
    id: int
    position: int
    kind: Kind
    text: str
    language: str
    licence: str
    source: str
    digest: str


@dataclass(frozen=True, slots=True)
class SetPart:
    """The seeds of a set that share a kind, a language and a licence."""

    kind: Kind
    language: str
    licence: str
    count: int


class SeedFilter(BaseModel):
    """Which seeds of a set to show, as the query string says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind | None = None
    language: str = Field(default="", max_length=40)
    licence: str | None = Field(default=None, max_length=200)
    q: str = Field(default="", max_length=200)
    page: int = Field(default=1, ge=1, le=MAX_SEEDS)

    @field_validator("kind", "licence", mode="before")
    @classmethod
    def _any(cls, value: object) -> object:
        """What an empty field of a form means: no choice. Seeds without a licence are chosen by a dash."""
        return {"": None, NO_LICENCE: ""}.get(value, value) if isinstance(value, str) else value

    @property
    def is_open(self) -> bool:
        """Whether every seed passes."""
        return self.kind is None and self.licence is None and not self.language and not self.q
