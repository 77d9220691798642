"""Growing one chain: ask the teacher, check, let the student try, judge, tell the strategy, and again.

The branches that a person asked for grow in the same way; what comes next is for app.features.runs.courses to say.

Every stage is committed before the next begins. A lane that takes a chain over reads from the ledger how far each
variant of the current turn got, and goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from app import prompts, registry
from app.config import libraries
from app.db import Session, Writing
from app.domain.ports import AttemptRequest, ProposalRequest, Sandbox, Student, Teacher
from app.domain.problem import InvalidProposal, Problem, Reply, Verdict
from app.domain.randomness import derive
from app.domain.summary import representatives
from app.domain.tree import Brief, Node, PastTurn, Place, Step
from app.errors import EngineError
from app.events import Nudger
from app.features.grading.judging import judge
from app.features.runs import stages
from app.features.runs.asking import Asker, CapReached, ContextOverflow, Patience, StageFailed
from app.features.runs.claims import Claim
from app.features.runs.courses import course_of
from app.features.runs.flow.limiter import Stopped
from app.features.runs.flow.role import Role
from app.features.runs.ledger import Ledger
from app.features.runs.metering import Meter, Usage
from app.features.runs.schemas import RunConfig
from app.features.runs.stages import Checked, Provenance
from app.features.runs.stored import NOTHING, StoredVariant, load_variants

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a lane lends to its chains."""

    ledger: Ledger
    nudger: Nudger
    sandbox: Sandbox
    teacher: Teacher
    student: Student
    student_profile_id: int
    patience: Patience
    stopping: asyncio.Event
    spent: asyncio.Event  # a cap of the run is used up
    teaching: Role | None  # None where the engine bounds itself
    learning: Role | None


class Grower:
    """Drives what one claim is for to its end."""

    def __init__(self, claim: Claim, config: RunConfig, tools: Tools) -> None:
        self._claim = claim
        self._config = config
        self._tools = tools
        self._environment = registry.environment(claim.environment)
        self._options = config.options_of(claim.environment)
        self._told_options = self._options.model_dump(mode="json")
        self._course = course_of(claim, config)
        self._conversation = prompts.Conversation(self._environment.reasons, libraries())
        # What people ask for beside the chains is within no cap.
        record = partial(_record, tools.ledger, claim)  # not a method, which would hold on to all texts of the chain
        self._asker = Asker(record, tools.patience, tools.stopping, None if claim.asked else tools.spent)
        self._variants: dict[Place, StoredVariant] = {}
        self._ends_turn = False  # whether the end of a variant is that of its turn: it has no other branch

    async def run(self) -> None:
        """Raises LeaseLost, StageFailed, Stopped or CancelledError; the ledger is consistent after each."""
        try:
            reason = await self._take_turns()
        except ContextOverflow:
            reason = "context_overflow"
        if await self._save(stages.save_end_of_one, "finished", reason):
            self._tools.nudger.add("chain")
        else:
            await self._write(stages.save_end, "finished", reason)

    async def _take_turns(self) -> str:
        """Grows turn after turn; returns why there is no further one."""
        if self._claim.driven_before:
            for variant in await self._write(load_variants, self._tools.student_profile_id):
                self._variants[variant.node.place] = variant
        turn = self._claim.next_turn
        while steps := self._course.steps(turn, self._variants):
            self._ends_turn = len(steps) == 1
            ends = await self._grow_all(steps)
            if not (self._ends_turn and all(ends)):
                await self._save(stages.save_turn, turn)
            turn += 1
        return self._course.end(turn, self._variants)

    async def _grow_all(self, steps: Mapping[Place, Step]) -> list[bool]:
        """Whether each branch did anything. None is thrown away for the trouble of another: each comes to its end or to
        a stage boundary."""
        branches = [self._grow(place, step) for place, step in steps.items()]
        if len(branches) == 1:
            return [await branches[0]]
        ends = await asyncio.gather(*branches, return_exceptions=True)
        if errors := [end for end in ends if isinstance(end, BaseException)]:
            try:
                raise _gravest(errors)
            finally:
                del ends, errors  # else they and this frame, with all of the chain's texts, would hold each other
        return [end for end in ends if not isinstance(end, BaseException)]

    def _before(self, place: Place) -> list[StoredVariant]:
        return self._course.before(place, self._variants)

    async def _grow(self, place: Place, step: Step) -> bool:
        """One variant through the stages that it has not passed yet; whether there were any."""
        variant = self._variants.get(place) or await self._propose(place, step)
        if variant.stage == "done":
            return False
        if variant.stage == "proposed":
            variant = await self._check(variant)
        if variant.stage == "checked":
            variant = await self._attempt(variant)
        if variant.stage == "attempted":
            variant = await self._judge(variant)
        self._tools.nudger.add("variant")
        self._variants[place] = variant
        return True

    async def _propose(self, place: Place, step: Step) -> StoredVariant:
        meter = self._meter()
        brief = Brief(
            environment=self._claim.environment,
            seed_text=self._claim.seed_text,
            seed_kind=self._claim.seed_kind,
            step=step,
            rng=self._rng(place, "teacher"),
            history=tuple(map(_past_turn, self._before(place))) if self._course.remembers else (),
            instruction=self._course.instruction,
            options=self._told_options,
        )
        request = ProposalRequest(brief, self._conversation.messages(brief))
        (reply,) = await self._asker.ask_model(
            "teacher", lambda: self._proposed(request), self._tools.teaching, 1, meter
        )
        parent = self._variants[step.parent] if step.parent else None
        provenance = Provenance(
            prompts.prompt_hash(self._claim.environment, libraries()),
            self._environment.version,
            self._tools.sandbox.isolation.value,
        )
        usage = meter.usage("proposing", 1, [reply])
        variant_id = await self._save(stages.save_proposal, place, step, parent, reply, provenance, usage)
        return StoredVariant(
            id=variant_id,
            node=Node(place, step),
            stage="proposed",
            reply=reply,
            path=stages.path_of(place, parent),
            depth=parent.depth + 1 if parent else 0,
            problem=None,
            fingerprint=None,
            invalid_detail="",
            tally=NOTHING,
            attempts=(),
            examples=(),
            instruction=self._course.instruction,
        )

    async def _proposed(self, request: ProposalRequest) -> list[Reply]:
        return [await self._tools.teacher.propose(request)]

    async def _check(self, variant: StoredVariant) -> StoredVariant:
        place, meter = variant.node.place, self._meter()
        try:
            checked = Checked.of(await self._checked(variant.reply, meter))
            key = checked.fingerprint
            twin = next((v.node.place for v in self._before(place) if v.fingerprint == key), None)
            if twin is not None:
                raise InvalidProposal("duplicate", f"This is the problem of turn {twin} again; write a different one.")
        except InvalidProposal as invalid:
            return await self._reject(variant, invalid, meter.usage("checking", 1))
        usage = meter.usage("checking", 1)
        if not await self._save(stages.save_problem, place, variant.id, checked, usage):
            await self._write(stages.save_compared, place, variant.id, checked, usage)
        return variant._replace(stage="checked", problem=checked.problem, fingerprint=key)

    async def _reject(self, variant: StoredVariant, invalid: InvalidProposal, usage: Usage) -> StoredVariant:
        place = variant.node.place
        broken = place, variant.id, invalid.code, invalid.detail
        if variant.fingerprint is None:
            await self._save(stages.save_invalid, *broken, usage, ends_turn=self._ends_turn)
        else:
            await self._write(stages.take_back, *broken, variant.fingerprint, usage, ends_turn=self._ends_turn)
        node = variant.node._replace(invalid=invalid.code)
        return variant._replace(stage="done", node=node, invalid_detail=invalid.detail)

    async def _checked(self, reply: Reply, meter: Meter) -> Problem:
        try:
            draft = self._environment.parse(reply.text)
        except InvalidProposal as invalid:
            if reply.finish_reason == "length":
                raise InvalidProposal("reply_cut", "The reply was cut at the length limit; be shorter.") from invalid
            raise
        return await self._asker.ask(
            "check", lambda: self._environment.check(draft, meter.sandbox, self._options), meter
        )

    async def _attempt(self, variant: StoredVariant) -> StoredVariant:
        meter = self._meter()
        place, problem = variant.node.place, _problem(variant)
        view = self._environment.present(problem)
        request = AttemptRequest(
            environment=self._claim.environment,
            view=view,
            chat=partial(prompts.student_messages, self._claim.environment, view),
            plain=partial(prompts.student_prompt, self._claim.environment, view),
            n=self._config.attempts,
            rng=self._rng(place, "student"),
            stop=prompts.BASE_STOP,
        )
        try:
            replies = await self._asker.ask_model(
                "student", lambda: self._tools.student.attempt(request), self._tools.learning, request.n, meter
            )
        except ContextOverflow:
            too_long = InvalidProposal("too_long", "The problem does not fit into the solver's context.")
            return await self._reject(variant, too_long, meter.usage("attempting", 0))
        if len(replies) != request.n:
            raise StageFailed("student", "wrong_count", _miscounted(len(replies), request.n))
        await self._save(
            stages.save_attempts,
            place,
            variant.id,
            self._tools.student_profile_id,
            prompts.prompt_hash(self._claim.environment),
            replies,
            meter.usage("attempting", len(replies), replies),
        )
        return variant._replace(stage="attempted", attempts=tuple(replies))

    async def _judge(self, variant: StoredVariant) -> StoredVariant:
        self._asker.go_on()
        meter = self._meter()
        texts = [reply.text for reply in variant.attempts]
        judgements = await judge(
            self._environment,
            _problem(variant),
            texts,
            meter.sandbox,
            self._tools.patience.pause,
        )
        tally = await self._save(
            stages.save_judgements,
            variant.node.place,
            variant.id,
            self._tools.student_profile_id,
            judgements,
            self._config.minimum,
            sum(reply.finish_reason == "length" for reply in variant.attempts),
            self._tools.sandbox.isolation.value,
            meter.usage("judging", len(judgements), errors=sum(j.verdict is Verdict.ERROR for j in judgements)),
            ends_turn=self._ends_turn,
        )
        return variant._replace(
            stage="done",
            node=variant.node._replace(rate=tally.rate(self._config.minimum)),
            tally=tally,
            attempts=(),
            examples=representatives([*zip(texts, judgements, strict=True)]) if self._course.remembers else (),
        )

    def _meter(self) -> Meter:
        return Meter(self._tools.sandbox)

    async def _write(self, action: Callable[Concatenate[Session, Claim, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._tools.ledger.write(action, self._claim, *args, **kwargs)

    async def _save(self, action: Callable[Concatenate[Claim, P], Writing[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._tools.ledger.save(action, self._claim, *args, **kwargs)

    def _rng(self, place: Place, role: str) -> int:
        """Depends on what is asked, not on rows or times: the same configuration and seed give the same run."""
        claim = self._claim
        parts = self._course.parts(place)
        return derive(self._config.seed, claim.arm, claim.environment, claim.seed_digest, *parts, role)


async def _record(ledger: Ledger, claim: Claim, stage: str, kind: str, message: str) -> None:
    _log.warning("chain %s, %s: %s", claim.chain_id, stage, message)
    await ledger.write(stages.save_incident, claim.workspace_id, claim.run_id, claim.chain_id, stage, kind, message)


def _past_turn(variant: StoredVariant) -> PastTurn:
    """A finished turn as the teacher hears of it."""
    return PastTurn(
        node=variant.node,
        reply=variant.reply.text,
        problem=variant.problem,
        invalid_detail=variant.invalid_detail,
        passed=variant.tally.passed,
        n=variant.tally.n,
        examples=variant.examples,
        instruction=variant.instruction,
    )


def _problem(variant: StoredVariant) -> Problem:
    if variant.problem is None:
        raise AssertionError(f"variant {variant.id} passed its check without a problem")
    return variant.problem


def _miscounted(got: int, wanted: int) -> EngineError:
    return EngineError("wrong_count", f"The student returned {got} replies instead of {wanted}.", retryable=False)


def _gravest(errors: Sequence[BaseException]) -> BaseException:
    """The one to go on with. What ends the chain does so only when every other branch is done."""
    kinds = (ContextOverflow, CapReached, Stopped)
    return min(errors, key=lambda error: tuple(isinstance(error, kind) for kind in kinds))
