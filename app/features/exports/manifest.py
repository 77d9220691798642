"""manifest.json: what a frozen version holds, from what it was made, and the hash of every file.

It is written once, when the version is frozen, and kept as text: its address may be cached for good.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from app.domain.export_row import ExportRow

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file of an export; `path` is its name within it."""

    path: str
    format: str
    rows: int
    bytes: int
    sha256: str


@dataclass
class Contents:
    """What is told of the rows, gathered while they pass."""

    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: ExportRow) -> None:
        self.counts[row["env"], row["difficulty"], row["stage"]] += 1
        self.licences[row["licence"]] += 1
        self.lengths[row["env"]].append(sum(len(message["content"]) for message in row["prompt"]))


def render(
    identity: Mapping[str, object], header: Mapping[str, object], contents: Contents, files: Iterable[FileFacts]
) -> str:
    """The whole manifest as JSON text.

    `identity` tells of what it is (curriculum, version, revision); `header` is what the revision covers beside rows.
    """
    everything = [length for lengths in contents.lengths.values() for length in lengths]
    data = {
        **header,
        **identity,
        "rows": len(everything),
        "counts": [
            {"env": env, "difficulty": difficulty, "stage": stage, "rows": rows}
            for (env, difficulty, stage), rows in sorted(contents.counts.items())
        ],
        "prompt_characters": {
            "all": percentiles(everything),
            **{env: percentiles(lengths) for env, lengths in sorted(contents.lengths.items())},
        },
        "licences": dict(sorted(contents.licences.items())),
        "files": [asdict(file) for file in files],
    }
    return json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"


def percentiles(lengths: Sequence[int]) -> dict[str, int]:
    """Nearest-rank percentiles: each is a length that occurs. Trainers drop overlong prompts without a word."""
    ordered = sorted(lengths)
    last = len(ordered) - 1
    at = {f"p{p}": ordered[max(0, -(-p * len(ordered) // 100) - 1)] for p in (50, 90, 95, 99)}
    return {"min": ordered[0], **at, "max": ordered[last]}
