"""A run in figures: the same ones in the terminal, on the page, in the API and in `--json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from app.db import Session
from app.domain.difficulty import BROAD, COMPLETE
from app.features.runs import figures
from app.features.runs.arms import ARMS, ASKED, plan_of
from app.features.runs.ends import amount, caps_of, chain_end
from app.features.runs.figures import Cell, ChainCount, IncidentGroup
from app.features.runs.goals import GoalState, goal_states
from app.features.runs.previews import Estimate, estimate
from app.features.runs.schemas import RunConfig
from app.features.runs.spending import CAPS, Spending, prices_of_run, spending, uncounted
from app.models import Run

BINS = tuple(bin_.name for bin_ in BROAD)
STAGES = ("proposed", "checked", "attempted")  # that a variant passes on its way to done


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """What one arm spent and what came of it. A proposal is one teacher call."""

    chains: int
    chains_ended: int
    chains_driven: int  # chains that a lane drives now
    turns: int  # turns that the chains have been given in all; one that ended early has used what was left
    turns_done: int
    turns_unspent: int  # of the turns done: what chains left that ended before their last one
    chains_unstarted: int  # chains that the goal or a cap left no room for; no other figure counts them
    chains_usable: int  # chains that hold a usable variant
    chains_two_bins: int  # chains whose usable variants fill two or more broad bins
    chains_complete: int  # chains with usable easy, medium and hard variants (broad bins)
    proposals: int
    under_way: dict[str, int]  # stage -> variants that have come so far: proposed, checked, attempted
    valid: int
    duplicates: int  # of an earlier variant of the chain (invalid) or of the run
    similar: int  # valid, no duplicate, but nearly one of another tree
    unique: int  # valid, no duplicate and not similar
    contaminated: int  # unique, but it shares something with a benchmark set
    clean: int  # unique and not contaminated
    measured: int  # clean, and with enough verdicts for a pass rate
    usable: int
    approved: int  # usable variants that people approved
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
class AskedSummary:
    """What people asked for beside the run's own chains, and what came of it: outside of every yield."""

    requests: int
    open: int
    proposals: int
    valid: int
    usable: int
    attempts: int  # verdicts, without errors
    errors: int
    teacher_tokens: int


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Chains of an arm that ended for one reason; `text` tells it to people, and `chain_id` is an example."""

    arm: str
    reason: str
    text: str
    chains: int
    turns_unspent: int
    chain_id: int


@dataclass(frozen=True, slots=True)
class RunSummary:
    run_id: int
    name: str
    state: str
    error: str
    seconds: float
    main: ArmSummary
    baseline: ArmSummary | None
    asked: AskedSummary
    ends: tuple[ChainEnd, ...]
    goals: tuple[GoalState, ...]
    caps: dict[str, float]  # those that are set
    spent: Spending
    uncounted: str  # a warning
    capped_by: str  # the cap that stopped it: tokens, attempts, hours or money
    estimate: Estimate | None  # of the whole run, where this is a preview
    incidents: tuple[IncidentGroup, ...]
    isolations: tuple[str, ...]
    lanes: int
    lanes_elsewhere: int  # of other runs

    @property
    def arms(self) -> tuple[ArmSummary, ...]:
        return (self.main, self.baseline) if self.baseline else (self.main,)

    @property
    def ended_because(self) -> str:
        """Why a finished run has grown no more, where its goal or a cap had a say in it."""
        if self.state != "finished":
            return ""
        if cap := self.capped_by:
            most, spent = (amount(cap, value, self.spent.currency) for value in (self.caps[cap], self.spent.of(cap)))
            return f"Stopped at its cap of {most}: {spent} spent, with what was under way."
        if unmet := [goal.environment for goal in self.goals if goal.met_at is None]:
            return f"All seeds were used, and the goal was not met in {', '.join(unmet)}."
        return "Stopped with its goal met." if self.goals else ""

    @property
    def progress(self) -> float:
        """How near its end is, 0 to 1: by turns done, or by its goal or the cap that it will meet first."""
        if self.state == "finished":
            return 1.0
        total = sum(arm.turns for arm in self.arms)
        turns = sum(arm.turns_done for arm in self.arms) / total if total else 0.0
        goal = min((state.share for state in self.goals), default=0.0)
        return max(turns, goal, *(min(1.0, self.spent.of(name) / cap) for name, cap in self.caps.items()))


def summarise(session: Session, run: Run) -> RunSummary:
    """Eight queries, whatever the size of the run; more where it has a goal or is a preview."""
    cells = figures.cells(session, run.id)
    chains = figures.chain_counts(session, run.id)
    coverage = figures.chain_coverage(session, run.id)
    config = RunConfig.model_validate(run.config)
    arms = {arm: _arm(arm, plan_of(config, arm).turns, cells, chains, coverage) for arm in ARMS}
    end = run.finished_at or datetime.now(UTC)
    groups, spent = figures.stop_groups(session, run.id), spending(session, run)
    lanes, lanes_elsewhere = figures.live_lanes(session, run.id)
    return RunSummary(
        run_id=run.id,
        name=run.name,
        state=run.state,
        error=run.error,
        seconds=(end - run.created_at).total_seconds(),
        main=arms["main"],
        baseline=arms["baseline"] if arms["baseline"].chains else None,
        asked=_asked(figures.request_counts(session, run.id), cells),
        ends=tuple(
            ChainEnd(
                group.arm,
                group.reason,
                chain_end(group.reason, config),
                group.count,
                plan_of(config, group.arm).turns * group.count - group.turns,
                group.chain_id,
            )
            for group in groups
            if group.count
        ),
        goals=tuple(goal_states(session, run, config)),
        caps=caps_of(config.caps),
        spent=spent,
        uncounted=uncounted(config.caps, spent, sum(arm.proposals for arm in arms.values()), prices_of_run(run)),
        capped_by=next((name for name in CAPS for group in groups if group.reason == f"cap_{name}"), ""),
        estimate=estimate(session, run),
        incidents=tuple(figures.incident_groups(session, run.id)),
        isolations=tuple(sorted({cell.isolation for cell in cells} - {""})),
        lanes=lanes,
        lanes_elsewhere=lanes_elsewhere,
    )


def _holds(cell: Cell) -> bool:
    """Whether its problems passed all checks."""
    return cell.invalid_code is None and cell.stage != "proposed"


def _asked(requests: dict[str, int], cells: list[Cell]) -> AskedSummary:
    own = [cell for cell in cells if cell.arm == ASKED]
    return AskedSummary(
        requests=sum(requests.values()),
        open=requests.get("open", 0),
        proposals=sum(c.count for c in own),
        valid=sum(c.count for c in own if _holds(c)),
        usable=sum(c.count for c in own if c.usable),
        attempts=sum(c.passed + c.failed for c in own),
        errors=sum(c.errors for c in own),
        teacher_tokens=sum(c.teacher_tokens for c in own),
    )


def _arm(
    arm: str,
    turns: int,
    cells: list[Cell],
    chains: list[ChainCount],
    coverage: list[tuple[str, frozenset[str], int]],
) -> ArmSummary:
    own = [cell for cell in cells if cell.arm == arm]
    filled = Counter({bins: count for of_arm, bins, count in coverage if of_arm == arm})
    unstarted = sum(found.count for found in chains if (found.arm, found.state) == (arm, "unstarted"))
    chains = [found for found in chains if found.arm == arm and found.state != "unstarted"]
    by_environment = {found.environment: dict.fromkeys((*BINS, ""), 0) for found in chains}
    for cell in own:
        if cell.usable:
            by_environment[cell.environment][cell.bin] += cell.count
    invalid = Counter[str]()
    for cell in own:
        if cell.invalid_code:
            invalid[cell.invalid_code] += cell.count
    usable, proposals, under_way = Counter[int](), Counter[int](), Counter[str]()
    for cell in own:
        if cell.stage != "done":
            under_way[cell.stage] += cell.count
        proposals[cell.turn] += cell.count
        usable[cell.turn] += cell.count if cell.usable else 0
    return ArmSummary(
        chains=sum(found.count for found in chains),
        chains_ended=sum(found.count for found in chains if found.state != "open"),
        chains_driven=sum(found.held for found in chains),
        turns=turns * sum(found.count for found in chains),
        turns_done=sum(found.turns if found.state == "open" else turns * found.count for found in chains),
        turns_unspent=sum(turns * found.count - found.turns for found in chains if found.state != "open"),
        chains_unstarted=unstarted,
        chains_usable=filled.total(),
        chains_two_bins=sum(count for bins, count in filled.items() if len(bins) >= 2),
        chains_complete=sum(count for bins, count in filled.items() if bins >= COMPLETE),
        proposals=proposals.total(),
        under_way={stage: under_way[stage] for stage in STAGES},
        valid=sum(c.count for c in own if _holds(c)),
        duplicates=sum(c.count for c in own if c.duplicate) + invalid["duplicate"],
        similar=sum(c.count for c in own if _holds(c) and c.similar and not c.duplicate),
        unique=sum(c.count for c in own if _holds(c) and c.unique),
        contaminated=sum(c.count for c in own if _holds(c) and c.unique and c.contaminated),
        clean=sum(c.count for c in own if _holds(c) and c.unique and not c.contaminated),
        measured=sum(c.count for c in own if c.rated and c.unique and not c.contaminated),
        usable=usable.total(),
        approved=sum(c.count for c in own if c.usable and c.approved),
        attempts=sum(c.passed + c.failed for c in own),
        passed=sum(c.passed for c in own),
        errors=sum(c.errors for c in own),
        cut=sum(c.cut for c in own),
        teacher_tokens=sum(c.teacher_tokens for c in own),
        invalid=dict(invalid.most_common()),
        usable_by_environment=by_environment,
        usable_by_turn={turn: (usable[turn], proposals[turn]) for turn in sorted(proposals)},
    )
