"""What chains and variants look like from outside the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.difficulty import Tally
from app.domain.problem import Problem
from app.domain.reasons import Reason
from app.domain.tree import Example
from app.features.benchmarks.schemas import OverlapRow
from app.features.chains.filters import TreeQuery
from app.features.growths.schemas import GrowthRow


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What these screens say of the run itself."""

    id: int
    name: str
    state: str
    archived: bool
    attempts: int
    kept_low: float
    kept_high: float
    environments: Sequence[str]


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A chain in a list. `bins` are the broad bins that its usable variants fill, easiest first."""

    id: int
    run_id: int
    arm: str
    position: int
    environment: str
    state: str
    stop_reason: str
    seed_id: int
    seed_source: str
    variants: int = 0
    usable: int = 0
    bins: Sequence[str] = ()
    complete: bool = False
    growing: bool = False  # by itself, or on somebody's request

    @property
    def key(self) -> str:
        return f"c{self.id}"


@dataclass(frozen=True, slots=True)
class Likeness:
    """Another variant whose program is nearly the same; `similarity` is the estimated share of syntax in common."""

    variant_id: int
    run_id: int
    chain_id: int
    place: str
    similarity: float


@dataclass(frozen=True, slots=True)
class VariantRow:
    """A variant in a list, with how the run's own student did. `headline` says in a line what it asks.

    `near` is of another tree of its run (or the same program again in its own), `known` of an older run; `similar` says
    whether one of them makes it unusable.
    """

    id: int
    run_id: int
    chain_id: int
    parent_id: int | None
    growth_id: int | None
    turn: int
    branch: int
    path: str
    depth: int
    subtree: int
    environment: str
    direction: str
    stage: str
    invalid_code: str | None
    duplicate_of: int | None
    review: str
    content_hash: str | None
    headline: str
    tally: Tally
    rate: float | None
    bin: str | None
    usable: bool
    near: Likeness | None
    known: Likeness | None
    similar: bool
    contaminated: bool

    @property
    def key(self) -> str:
        return f"v{self.id}"

    @property
    def place(self) -> str:
        return f"{self.turn}.{self.branch}"

    @property
    def state(self) -> str:
        """One word or two for how it stands: why it is invalid, its bin, or how far it has got."""
        if self.invalid_code:
            return self.invalid_code.replace("_", " ")
        if self.stage != "done":
            return {"proposed": "being checked", "checked": "waiting for attempts"}.get(self.stage, "being judged")
        if self.repeats:
            return self.repeats
        if self.rate is None:
            return "too few verdicts"
        return self.bin or difficulty_name(self.rate)

    @property
    def repeats(self) -> str:
        """In a word, why it is unusable whatever its pass rate; "" where it may be used."""
        if self.duplicate_of:
            return "duplicate"
        if self.similar:
            return "similar"
        return "in a benchmark" if self.contaminated else ""

    @property
    def can_be_approved(self) -> bool:
        return self.stage == "done" and self.invalid_code is None and self.rate is not None


def difficulty_name(rate: float) -> str:
    """The words for a pass rate outside all bins."""
    if rate in (0.0, 1.0):
        return "always solved" if rate else "never solved"
    return "above easy" if rate > 0.5 else "below hard"


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A line of the tree grid: a chain, or a variant of the chain before it.

    `level` counts from 1; `told` is the variant's headline, without what its parent's says too.
    """

    key: str
    level: int
    expanded: bool | None
    chain: ChainRow
    variant: VariantRow | None = None
    told: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """One page of the grid. `matching` counts all variants that the filter lets through."""

    run: RunFacts
    query: TreeQuery
    rows: Sequence[TreeRow]
    chains: int
    variants: int
    matching: int
    after: str
    before: str


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """What occurs in a run, and so can be chosen in its filters."""

    environments: Sequence[str]
    codes: Sequence[str]
    stops: Sequence[str]


@dataclass(frozen=True, slots=True)
class Profile:
    """A model and how it was sampled."""

    id: int
    engine: str
    model: str
    spec: dict[str, object]


@dataclass(frozen=True, slots=True)
class MeasurementView:
    """How one student did. `rate` is None below the run's minimum of verdicts."""

    id: int
    student: Profile
    tally: Tally
    rate: float | None
    bin: str | None
    cut: int
    prompt_hash: str
    isolation: str
    judged_at: datetime | None
    by_run: bool
    examples: Sequence[Example] = ()


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt of a student."""

    number: int
    verdict: str | None
    reason: str
    meaning: str
    detail: str
    answer: str
    reply: str
    reasoning: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """Some attempts at a variant by one student, and where they stand among all of them."""

    attempts: Sequence[AttemptView]
    total: int
    first: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class SeedView:
    """The real code that a chain grew from."""

    id: int
    kind: str
    text: str
    language: str
    licence: str
    source: str
    digest: str
    set_name: str


@dataclass(frozen=True, slots=True)
class VariantView:
    """A variant in full. `why` explains `row.invalid_code`."""

    row: VariantRow
    run: RunFacts
    chain: ChainRow
    seed: SeedView
    teacher: Profile
    problem: Problem | None
    why: Reason | None
    invalid_detail: str
    twin: VariantRow | None
    overlaps: Sequence[OverlapRow]
    measurements: Sequence[MeasurementView]
    family: Sequence[VariantRow]
    requests: Sequence[GrowthRow]
    target: tuple[float, float]
    reply: str
    reasoning: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    prompt_hash: str
    environment_version: str
    isolation: str
    fingerprint: str | None
    created_at: datetime

    @property
    def ancestors(self) -> list[VariantRow]:
        """From the chain's first variant down to the parent."""
        return [other for other in self.family if self.row.path.startswith(f"{other.path}/")]

    @property
    def parent(self) -> VariantRow | None:
        return next((other for other in self.family if other.id == self.row.parent_id), None)

    @property
    def siblings(self) -> list[VariantRow]:
        """Variants of the same parent, also of later turns."""
        return [v for v in self.family if v.parent_id == self.row.parent_id and v.id != self.row.id]

    @property
    def children(self) -> list[VariantRow]:
        return [v for v in self.family if v.parent_id == self.row.id]

    @property
    def growth(self) -> GrowthRow | None:
        """The request that it was grown on."""
        return next((request for request in self.requests if request.id == self.row.growth_id), None)

    @property
    def asked_here(self) -> list[GrowthRow]:
        """What was asked for from this variant, newest first."""
        return [request for request in reversed(self.requests) if request.variant_id == self.row.id]

    @property
    def measurement(self) -> MeasurementView | None:
        """That of the run's own student."""
        return next((m for m in self.measurements if m.by_run), None)
