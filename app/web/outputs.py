"""What the JSON API says of variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.domain.difficulty import Tally
from app.features.chains.schemas import AttemptView, MeasurementView, Profile, VariantRow, VariantView
from app.features.growths.schemas import GrowthRow
from app.features.review.schemas import Outcome
from app.features.review.votes import Vote
from app.web.variants import Parts


class PassRate(BaseModel):
    """Verdicts of one student. Errors are infrastructure failures, and stand outside the rate."""

    passed: int
    failed: int
    errors: int
    rate: float | None = Field(description="passed / (passed + failed); null below the run's minimum of verdicts.")
    low: float = Field(description="Lower end of the Wilson 95% interval.")
    high: float
    bin: str | None = Field(description="Broad difficulty bin.")

    @classmethod
    def of(cls, row: VariantRow | MeasurementView) -> PassRate:
        return cls.made(row.tally, row.rate, row.bin)

    @classmethod
    def made(cls, tally: Tally, rate: float | None, bin_: str | None) -> PassRate:
        low, high = tally.interval
        return cls(**asdict(tally), rate=rate, low=low, high=high, bin=bin_)


class GrowthOut(BaseModel):
    """A request to grow branches from a variant, and how far it is."""

    id: int
    run_id: int
    chain_id: int
    variant_id: int = Field(description="Where the branches start.")
    direction: Literal["easier", "harder", "vary", "repair"]
    instruction: str
    children: int
    turns: int
    target: tuple[float, float] = Field(description="Pass rates that the children aim at.")
    state: Literal["open", "finished", "stopped", "failed", "quarantined", "cancelled"]
    stop_reason: str
    turns_done: int
    asked_by: str
    asked_at: datetime
    variants: list[int] = Field(description="What has grown, in the order of the tree.")

    @classmethod
    def of(cls, row: GrowthRow) -> GrowthOut:
        known = {name: getattr(row, name) for name in cls.model_fields if name not in ("target", "variants")}
        target = (row.target.low, row.target.high)
        return cls.model_validate({**known, "target": target, "variants": list(row.variants)})


class SimilarOut(BaseModel):
    """Another variant whose program is nearly the same."""

    variant_id: int
    run_id: int
    chain_id: int
    place: str = Field(description="Turn and branch.")
    similarity: float = Field(description="Estimated share of the syntax that both have, from 0 to 1.")


class OverlapOut(BaseModel):
    """What a variant shares with a benchmark set: the item that it shares most with, and a passage."""

    set_id: int
    set_name: str
    item_id: int
    item_name: str
    kind: Literal["text", "code"]
    grams: int = Field(description="Shared stretches of 13 words, or of all words of a shorter item.")
    similarity: float | None = Field(description="Estimated share of the syntax that both have, from 0.8 on.")
    passage: str


class VariantOut(BaseModel):
    """A proposal in a tree, valid or not, with how the run's own student did."""

    id: int
    run_id: int
    chain_id: int
    parent_id: int | None
    growth_id: int | None = Field(description="The request that it was grown on; null for what the run grew by itself.")
    turn: int
    branch: int
    environment: str
    direction: str
    stage: Literal["proposed", "checked", "attempted", "done"]
    invalid_code: str | None = Field(description="Machine name of the check that failed.")
    duplicate_of: int | None = Field(description="The variant with the same program that counts instead.")
    near: SimilarOut | None = Field(description="The earliest similar variant of another tree of the run.")
    known: SimilarOut | None = Field(description="The earliest similar variant of an older run.")
    similar: bool = Field(description="Whether one of these makes it unusable, as the run's compared_with has it.")
    contaminated: bool = Field(description="Whether it shares something with a benchmark set.")
    usable: bool
    review: Literal["", "approved", "rejected"]
    content_hash: str | None
    headline: str
    measurement: PassRate

    @classmethod
    def of(cls, row: VariantRow) -> VariantOut:
        known = asdict(row)
        return cls.model_validate(
            {name: known[name] for name in cls.model_fields if name != "measurement"}
            | {"measurement": PassRate.of(row)}
        )


class VariantList(BaseModel):
    items: list[VariantOut]
    next_after: int | None = Field(description="Pass it as `after` for the next page; null on the last.")


class Case(BaseModel):
    """An input and its gold output as Python literals; null where a property judges the answer."""

    arguments: str
    output: str | None


class ProblemOut(BaseModel):
    message: str
    program: str
    cases: list[Case]
    options: dict[str, bool | int | float | str]


class ProfileOut(BaseModel):
    """A model and how it was sampled."""

    engine: str
    model: str
    spec: dict[str, object]

    @classmethod
    def of(cls, profile: Profile) -> ProfileOut:
        return cls(engine=profile.engine, model=profile.model, spec=profile.spec)


class Representative(BaseModel):
    """An attempt worth reading; `count` attempts gave the same answer."""

    kind: str
    text: str
    reason: str
    count: int


class MeasurementOut(PassRate):
    """How one student did."""

    id: int
    student: ProfileOut
    by_run: bool = Field(description="Whether it is the run's own student.")
    cut: int = Field(description="Replies that hit the length limit.")
    prompt_hash: str
    isolation: str
    judged_at: datetime | None
    representatives: list[Representative]

    @classmethod
    def from_view(cls, view: MeasurementView) -> MeasurementOut:
        return cls(
            **PassRate.of(view).model_dump(),
            id=view.id,
            student=ProfileOut.of(view.student),
            by_run=view.by_run,
            cut=view.cut,
            prompt_hash=view.prompt_hash,
            isolation=view.isolation,
            judged_at=view.judged_at,
            representatives=[Representative(**asdict(example)) for example in view.examples],
        )


class SeedOut(BaseModel):
    id: int
    kind: str
    text: str
    language: str
    licence: str
    source: str
    digest: str
    set_name: str


class Provenance(BaseModel):
    """With what the variant was made and checked."""

    teacher: ProfileOut
    prompt_hash: str
    prompt_tokens: int
    completion_tokens: int
    environment_version: str
    isolation: str
    fingerprint: str | None
    created_at: datetime
    growth: GrowthOut | None = Field(description="Who asked for it, and for what.")
    seed: SeedOut


class DecisionOut(BaseModel):
    """One vote; `undoes` names the decision that an undo takes back."""

    id: int
    by: str
    kind: Literal["approve", "reject", "undo"]
    undoes: int | None
    reason: str
    comment: str
    content_hash: str
    at: datetime

    @classmethod
    def of(cls, vote: Vote) -> DecisionOut:
        known = {name: getattr(vote, name) for name in cls.model_fields if name != "by"}
        return cls.model_validate({**known, "by": vote.name})


class VariantDetail(VariantOut):
    """A variant in full."""

    problem: ProblemOut | None = Field(description="Null where a check failed.")
    invalid_detail: str
    invalid_meaning: str
    overlaps: list[OverlapOut] = Field(description="What it shares with benchmark sets, the most first.")
    reply: str
    reasoning: str
    target: tuple[float, float]
    ancestors: list[int] = Field(description="From the chain's first variant down to the parent.")
    children: list[int]
    measurements: list[MeasurementOut]
    provenance: Provenance
    decisions: list[DecisionOut]

    @classmethod
    def from_view(cls, view: VariantView, votes: Sequence[Vote]) -> VariantDetail:
        return cls(
            **VariantOut.of(view.row).model_dump(),
            problem=_problem(view),
            invalid_detail=view.invalid_detail,
            invalid_meaning=view.why.sentence if view.why else "",
            overlaps=[OverlapOut(**asdict(found)) for found in view.overlaps],
            reply=view.reply,
            reasoning=view.reasoning,
            target=view.target,
            ancestors=[other.id for other in view.ancestors],
            children=[other.id for other in view.children],
            measurements=[MeasurementOut.from_view(measurement) for measurement in view.measurements],
            provenance=_provenance(view),
            decisions=[DecisionOut.of(vote) for vote in votes],
        )


def _problem(view: VariantView) -> ProblemOut | None:
    if view.problem is None:
        return None
    parts = Parts.of(view.problem)
    return ProblemOut(
        message=parts.statement,
        program=parts.program,
        cases=[Case(arguments=given, output=gold) for given, gold in parts.cases],
        options=dict(view.problem.options),
    )


def _provenance(view: VariantView) -> Provenance:
    return Provenance(
        teacher=ProfileOut.of(view.teacher),
        prompt_hash=view.prompt_hash,
        prompt_tokens=view.prompt_tokens,
        completion_tokens=view.completion_tokens,
        environment_version=view.environment_version,
        isolation=view.isolation,
        fingerprint=view.fingerprint,
        created_at=view.created_at,
        growth=GrowthOut.of(view.growth) if view.growth else None,
        seed=SeedOut(**asdict(view.seed)),
    )


class AttemptOut(BaseModel):
    """One attempt of a student; `meaning` says in a sentence why it failed."""

    number: int
    verdict: Literal["passed", "failed", "error"] | None = Field(description="null until it is judged.")
    reason: str
    meaning: str
    detail: str
    answer: str
    reply: str
    reasoning: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int

    @classmethod
    def of(cls, view: AttemptView) -> AttemptOut:
        return cls.model_validate(asdict(view))


class AttemptList(BaseModel):
    items: list[AttemptOut]
    total: int = Field(description="Attempts that pass the filter.")
    next_first: int | None = Field(description="Pass it as `first` for the next page; null on the last.")


class DecisionResult(BaseModel):
    """What came of a decision. `repeated`: it had been recorded before, and is one vote."""

    decision_id: int
    variant_id: int
    review: Literal["", "approved", "rejected"]
    message: str
    repeated: bool

    @classmethod
    def of(cls, outcome: Outcome) -> DecisionResult:
        return cls(
            decision_id=outcome.decision_id,
            variant_id=outcome.variant_id,
            review=outcome.state,
            message=outcome.message,
            repeated=outcome.repeated,
        )
