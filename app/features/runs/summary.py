"""A run in figures: the same ones in the terminal, on the page, in the API and in `--json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from app.db import Session
from app.domain.difficulty import BROAD
from app.features.runs import queries
from app.features.runs.queries import Cell, IncidentGroup
from app.models import Run

BINS = tuple(bin_.name for bin_ in BROAD)
ARMS = ("main", "baseline")


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """What one arm spent and what came of it. A proposal is one teacher call."""

    chains: int
    chains_ended: int
    chains_usable: int  # chains that hold a usable variant
    chains_two_bins: int  # chains whose usable variants fill two or more broad bins
    chains_complete: int  # chains with usable easy, medium and hard variants (broad bins)
    proposals: int
    valid: int
    duplicates: int
    usable: int
    attempts: int  # verdicts, without errors
    passed: int
    errors: int
    cut: int
    teacher_tokens: int
    invalid: dict[str, int]
    usable_by_environment: dict[str, dict[str, int]]  # environment -> bin ("" outside all) -> count
    usable_by_turn: dict[int, tuple[int, int]]  # turn -> (usable, proposals)

    @property
    def yield_(self) -> float | None:
        """Usable variants per teacher call."""
        return self.usable / self.proposals if self.proposals else None


@dataclass(frozen=True, slots=True)
class RunSummary:
    run_id: int
    name: str
    state: str
    error: str
    seconds: float
    main: ArmSummary
    baseline: ArmSummary | None
    incidents: tuple[IncidentGroup, ...]
    isolations: tuple[str, ...]
    lanes: int

    @property
    def progress(self) -> float:
        """Chains that are over, as a share of all, 0 to 1."""
        arms = [self.main, *([self.baseline] if self.baseline else [])]
        total = sum(arm.chains for arm in arms)
        return sum(arm.chains_ended for arm in arms) / total if total else 0.0


def summarise(session: Session, run: Run) -> RunSummary:
    """Seven queries, whatever the size of the run."""
    cells = queries.cells(session, run.id)
    totals = {total.arm: total for total in queries.totals(session, run.id)}
    states = queries.chain_states(session, run.id)
    coverage = queries.chain_coverage(session, run.id)
    arms = {arm: _arm(arm, cells, totals.get(arm), states, coverage) for arm in ARMS}
    end = run.finished_at or datetime.now(UTC)
    return RunSummary(
        run_id=run.id,
        name=run.name,
        state=run.state,
        error=run.error,
        seconds=(end - run.created_at).total_seconds(),
        main=arms["main"],
        baseline=arms["baseline"] if arms["baseline"].chains else None,
        incidents=tuple(queries.incident_groups(session, run.id)),
        isolations=tuple(queries.isolations(session, run.id)),
        lanes=queries.live_lanes(session, run.id),
    )


def _arm(
    arm: str,
    cells: list[Cell],
    totals: queries.Totals | None,
    states: list[tuple[str, str, str, int]],
    coverage: list[tuple[str, str, int, list[str]]],
) -> ArmSummary:
    own = [cell for cell in cells if cell.arm == arm]
    bins = [set(found) for of_arm, _, _, found in coverage if of_arm == arm]
    by_environment: dict[str, dict[str, int]] = {}
    for of_arm, environment, _, _ in sorted(states):
        if of_arm == arm:
            by_environment.setdefault(environment, dict.fromkeys((*BINS, ""), 0))
    for cell in own:
        if cell.usable:
            by_environment[cell.environment][cell.bin] += cell.count
    invalid = Counter[str]()
    for cell in own:
        if cell.invalid_code:
            invalid[cell.invalid_code] += cell.count
    usable, proposals = Counter[int](), Counter[int]()
    for cell in own:
        proposals[cell.turn] += cell.count
        usable[cell.turn] += cell.count if cell.usable else 0
    return ArmSummary(
        chains=sum(n for of_arm, _, _, n in states if of_arm == arm),
        chains_ended=sum(n for of_arm, _, state, n in states if of_arm == arm and state != "open"),
        chains_usable=len(bins),
        chains_two_bins=sum(len(found) >= 2 for found in bins),
        chains_complete=sum(found >= {"easy", "medium", "hard"} for found in bins),
        proposals=proposals.total(),
        valid=sum(c.count for c in own if c.invalid_code is None and c.stage != "proposed"),
        duplicates=sum(c.count for c in own if c.duplicate) + invalid["duplicate"],
        usable=usable.total(),
        attempts=totals.passed + totals.failed if totals else 0,
        passed=totals.passed if totals else 0,
        errors=totals.errors if totals else 0,
        cut=totals.cut if totals else 0,
        teacher_tokens=totals.teacher_tokens if totals else 0,
        invalid=dict(invalid.most_common()),
        usable_by_environment=by_environment,
        usable_by_turn={turn: (usable[turn], proposals[turn]) for turn in sorted(proposals)},
    )
