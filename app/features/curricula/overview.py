"""What a version holds at a glance, the same for a draft, whose figures are live, and a frozen one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.db import Session
from app.domain.actor import Actor
from app.domain.difficulty import Tally
from app.domain.export_row import ExportRow, decode_row
from app.features.curricula import queries, service
from app.features.curricula.building import build
from app.features.curricula.selection import REASONS, Candidate, Evaluation
from app.models import CurriculumVersion


@dataclass(frozen=True, slots=True)
class Excluded:
    """Variants in scope that are left out, and why: `reason` is a key of selection.REASONS."""

    reason: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts by environment and bin, pass rates with their number, and what keeps a draft from being frozen."""

    total: int
    bins: Sequence[str]
    counts: dict[str, dict[str, int]]
    rates: Sequence[tuple[float, int]]
    excluded: Sequence[Excluded] = ()
    unmeasured: int = 0
    blocked: str = ""
    digest: str = ""

    def column(self, name: str) -> int:
        return sum(counts[name] for counts in self.counts.values())


@dataclass(frozen=True, slots=True)
class Line:
    """One variant in a list: of a version, or of what it leaves out. `position` is None for the latter."""

    variant_id: int
    environment: str
    difficulty: str
    tally: Tally
    position: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which problems of a version a list shows; the rate from `low`, included, to `high`, which 1 alone includes."""

    environment: str = ""
    difficulty: str = ""
    low: float = 0.0
    high: float = 1.0

    def takes(self, environment: str, difficulty: str, rate: float) -> bool:
        return (
            self.environment in ("", environment)
            and self.difficulty in ("", difficulty)
            and self.low <= rate
            and (rate < self.high or rate == self.high in (self.low, 1.0))
        )


def evaluated(session: Session, actor: Actor, version: CurriculumVersion) -> Evaluation:
    return service.evaluation(session, actor, service.selection_of(version))


def of_draft(session: Session, actor: Actor, version: CurriculumVersion, found: Evaluation) -> Overview:
    invalid = queries.count_invalid(session, actor.workspace_id, service.selection_of(version))
    counts = {"invalid": invalid} | {reason: len(group) for reason, group in found.excluded.items()}
    return Overview(
        total=len(found.chosen),
        bins=found.bins,
        counts=found.counts(),
        rates=found.rates(),
        excluded=[Excluded(r, text, counts[r]) for r, text in REASONS.items() if counts.get(r)],
        unmeasured=len(found.unmeasured),
        blocked=service.blocked(found),
        digest=found.digest,
    )


def of_frozen(session: Session, actor: Actor, version: CurriculumVersion) -> Overview:
    bins = [b.name for b in service.selection_of(version).bins_of_set]
    found = queries.item_counts(session, actor.workspace_id, version.id)
    environments = sorted({environment for environment, _ in found})
    return Overview(
        total=sum(found.values()),
        bins=bins,
        counts={name: {b: found.get((name, b), 0) for b in bins} for name in environments},
        rates=queries.item_rates(session, actor.workspace_id, version.id),
    )


def preview(
    session: Session, actor: Actor, version: CurriculumVersion, found: Evaluation | None, limit: int = 5
) -> list[ExportRow]:
    """The first rows as they are, or would be, exported."""
    if found is None:
        return [decode_row(row.row) for row in queries.items(session, actor.workspace_id, version.id, limit=limit)]
    first = Evaluation(found.chosen[:limit], {}, (), found.bins, "")
    return build(session, actor.workspace_id, service.selection_of(version), first).rows


def lines_of_draft(found: Evaluation, asked: Filter) -> list[Line]:
    return [
        _line(item.candidate, item.bin, position)
        for position, item in enumerate(found.chosen)
        if asked.takes(item.candidate.environment, item.bin, item.rate)
    ]


def lines_left_out(found: Evaluation, reason: str) -> list[Line]:
    left = found.unmeasured if reason == "unmeasured" else found.excluded.get(reason, ())
    return [_line(candidate, "", None) for candidate in left]


def lines_of_frozen(
    session: Session, actor: Actor, version: CurriculumVersion, asked: Filter, offset: int, limit: int
) -> tuple[list[Line], int]:
    """One page of a frozen version's problems, and how many there are in all."""
    keys = [
        item
        for item in queries.item_keys(session, actor.workspace_id, version.id)
        if asked.takes(item.environment, item.difficulty, item.rate)
    ]
    positions = [item.position for item in keys[offset : offset + limit]]
    rows = queries.items(session, actor.workspace_id, version.id, positions=positions)
    return [_frozen_line(item.variant_id, decode_row(item.row)) for item in rows], len(keys)


def tally_of(row: ExportRow) -> Tally:
    errors: int = json.loads(row["provenance"])["measurement"]["errors"]
    return Tally(row["passed"], row["n"] - row["passed"], errors)


def _line(candidate: Candidate, difficulty: str, position: int | None) -> Line:
    tally = Tally(candidate.passed, candidate.failed, candidate.errors)
    return Line(candidate.variant_id, candidate.environment, difficulty, tally, position)


def _frozen_line(variant_id: int, row: ExportRow) -> Line:
    return Line(variant_id, row["env"], row["difficulty"], tally_of(row), row["position"])
