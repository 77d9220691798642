"""What the engine calls inside its sandbox. Every call depends on its arguments alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.engines._procedural.candidates import Candidate, candidates
from app.engines._procedural.chance import seeded
from app.engines._procedural.fallback import word_tables
from app.engines._procedural.pieces import try_out
from app.engines._procedural.proposing import Facts
from app.engines._procedural.proposing import propose as _propose
from app.engines._procedural.samples import Samples
from app.engines._procedural.solving import SOLVERS

_Plain = tuple[object, ...]


def cut(seed_text: str) -> list[_Plain]:
    """The candidates in a seed, as plain tuples."""
    return [tuple(candidate) for candidate in candidates(seed_text)]


def spare(seed_text: str) -> list[_Plain]:
    """Candidates for a seed of whose own few run."""
    return [tuple(candidate) for candidate in word_tables(Samples(seed_text), seeded("spare", seed_text))]


def try_one(candidate: tuple[str, str, str], seed_text: str) -> _Plain | None:
    """The piece that a candidate makes, as a plain tuple."""
    piece = try_out(Candidate(*candidate), Samples(seed_text))
    return tuple(piece) if piece else None


def propose(*facts: Any) -> tuple[str, str]:
    """The text of a proposal and how it came about; the facts in the order of `Facts`."""
    return _propose(Facts(*facts))


def attempt(environment: str, view: Mapping[str, object], rng: int, index: int, budget: float) -> str:
    """One answer in its fenced block, or nothing."""
    return SOLVERS[environment].attempt(view, seeded("attempt", rng, index), budget)
