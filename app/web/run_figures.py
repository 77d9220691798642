"""A run's figures as its page shows them: the arms beside one another, and every count a link to its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.difficulty import Tally
from app.features.runs.arms import ARMS, ASKED, plan_of
from app.features.runs.ends import amount
from app.features.runs.figures import NewestChain, Pace
from app.features.runs.schemas import RunConfig
from app.features.runs.summary import ArmSummary, RunSummary
from app.features.runs.usage import StageSum
from app.web import charts
from app.web.charts import Strip, YieldChart

_TITLES = {"main": "This run", "baseline": "Single-turn"}
_CHART_WIDTH = 360.0  # two fit beside each other in the wide column, one on a phone
_FEWEST_CALLS = 10  # below which a pace would be a guess

# Label, what it means, the field of ArmSummary, and the filter of the tree that lists the rows (None: no filter does).
_VARIANTS: tuple[tuple[str, str, str, str | None], ...] = (
    ("Teacher calls", "", "proposals", ""),
    ("Valid", "gold outputs by execution", "valid", "&invalid=none"),
    ("Unique", "no program of another seed is like it", "unique", None),
    ("In no benchmark", "", "clean", None),
    ("Measured", "enough verdicts for a rate", "measured", None),
    ("Usable", "rate in the kept band", "usable", "&usable=true"),
    ("Approved", "by people", "approved", "&usable=true&review=approved"),
)
_CHAINS: tuple[tuple[str, str, str, str | None], ...] = (
    ("Chains", "", "chains", ""),
    ("Over", "", "chains_ended", None),
    ("With a usable variant", "", "chains_usable", None),
    ("In two bins or more", "", "chains_two_bins", None),
    ("Complete", "easy, medium and hard", "chains_complete", None),
)


@dataclass(frozen=True, slots=True)
class Arm:
    """The run's own strategy, or its baseline. `tally` holds usable variants against all other teacher calls."""

    name: str
    title: str
    figures: ArmSummary
    tally: Tally


@dataclass(frozen=True, slots=True)
class Count:
    """`count` of `whole`; `href` leads to the rows, "" where no list has just these."""

    count: int
    whole: int
    href: str

    @property
    def share(self) -> float:
        return self.count / self.whole if self.whole else 0.0


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """One line of a funnel: what is counted, and its count in each arm, as a part of the first line's."""

    label: str
    note: str
    counts: Sequence[Count]


@dataclass(frozen=True, slots=True)
class StageTable:
    """What the stages of one arm took."""

    title: str
    rows: Sequence[StageSum]

    @property
    def untimed(self) -> int:
        """Stages of before times were kept."""
        return sum(row.count - row.timed for row in self.rows)

    @property
    def prompt_tokens(self) -> int:
        return sum(row.prompt_tokens for row in self.rows)

    @property
    def completion_tokens(self) -> int:
        return sum(row.completion_tokens for row in self.rows)


@dataclass(frozen=True, slots=True)
class ChainLine:
    """A chain that moved lately."""

    newest: NewestChain
    strip: Strip


@dataclass(frozen=True, slots=True)
class Meter:
    """What is spent of a cap, in words."""

    label: str
    spent: str
    cap: str
    share: float


def meters(summary: RunSummary) -> list[Meter]:
    spent = summary.spent
    return [
        Meter(
            cap,
            amount(cap, spent.of(cap), spent.currency),
            amount(cap, most, spent.currency),
            min(1.0, spent.of(cap) / most),
        )
        for cap, most in summary.caps.items()
    ]


def arms_of(summary: RunSummary) -> list[Arm]:
    return [
        Arm(name, title, figures, Tally(figures.usable, figures.proposals - figures.usable))
        for (name, title), figures in zip(_TITLES.items(), summary.arms, strict=False)
    ]


def funnels(run_id: int, arms: Sequence[Arm], asked: bool) -> list[list[FunnelRow]]:
    """That of the variants, from teacher calls to approved ones, and that of the chains.

    Where there are variants that were `asked` for, the addresses leave them out as the figures do.
    """
    return [
        [
            FunnelRow(label, note, [_count(run_id, arm, lines[0][2], field, query, asked) for arm in arms])
            for label, note, field, query in lines
        ]
        for lines in (_VARIANTS, _CHAINS)
    ]


def _count(run_id: int, arm: Arm, whole: str, field: str, query: str | None, asked: bool) -> Count:
    href = "" if query is None else f"/runs/{run_id}/tree?arm={arm.name}{query}{_own(asked)}"
    return Count(getattr(arm.figures, field), getattr(arm.figures, whole), href)


def _own(asked: bool) -> str:
    return "&asked=false" if asked else ""


def stage_tables(sums: Sequence[StageSum]) -> list[StageTable]:
    """One per arm that has any."""
    titles = _TITLES | {ASKED: "On request"}
    tables = [StageTable(title, [row for row in sums if row.arm == arm]) for arm, title in titles.items()]
    return [table for table in tables if table.rows]


def chain_line(newest: NewestChain, config: RunConfig) -> ChainLine:
    turns = plan_of(config, newest.chain.arm).turns
    return ChainLine(newest, charts.strip([(o.turn, o.rate, o.invalid_code) for o in newest.outcomes], turns))


def yield_chart(run_id: int, arms: Sequence[Arm], asked: bool) -> YieldChart:
    by_turn = [
        [
            (usable, calls, f"/runs/{run_id}/tree?arm={arm.name}&turn={turn}{_own(asked)}")
            for turn, (usable, calls) in arm.figures.usable_by_turn.items()
        ]
        for arm in arms
    ]
    return charts.yield_by_turn(*by_turn, width=_CHART_WIDTH)


def rate_chart(run_id: int, counts: Sequence[tuple[float, int]], asked: bool) -> charts.Histogram:
    def href(low: float, high: float) -> str:
        return f"/runs/{run_id}/tree?arm=main&rate_min={low:g}&rate_max={high:g}{_own(asked)}"

    return charts.histogram(counts, href, width=_CHART_WIDTH)


def seconds_left(summary: RunSummary, config: RunConfig, pace: Pace) -> float | None:
    """At the pace of the last minutes; None where that would be a guess."""
    if summary.state != "running" or pace.calls < _FEWEST_CALLS:
        return None
    calls = sum(
        (figures.turns - figures.turns_done) * plan_of(config, arm).branching
        for arm, figures in zip(ARMS, summary.arms, strict=False)
    )
    return calls * pace.seconds / pace.calls
