"""Grows chains with the procedural engine, through the real checks, verdicts and sandbox, and measures them.

    python -m bench.procedural --seeds 24 --out build/procedural.json

Prints a table: chains with a usable variant, chains with two or more difficulty bins, usable variants per proposal,
where each direction led, what a larger budget changed, and CPU seconds per chain. No database and no worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from app import registry
from app.domain.difficulty import BROAD, KEPT, Band, bin_of
from app.domain.fingerprint import fingerprint
from app.domain.ports import (
    AttemptRequest,
    EngineContext,
    Environment,
    Execution,
    Plan,
    Program,
    ProposalRequest,
    Sandbox,
    Strategy,
    Student,
    Teacher,
)
from app.domain.problem import InvalidProposal, Problem, Verdict
from app.domain.randomness import derive
from app.domain.seeds import SeedDraft, stdlib_snippets
from app.domain.tree import Brief, Direction, Node, PastTurn, Place
from app.isolation import open_sandbox

TARGET = Band(0.35, 0.65)
ENVIRONMENTS = ("deduction", "abduction", "fuzzing", "induction")


class Meter:
    """CPU seconds spent inside programs, by purpose."""

    def __init__(self) -> None:
        self.cpu_s: defaultdict[str, float] = defaultdict(float)

    @asynccontextmanager
    async def opened(self, purpose: str, preload: Sequence[str] = ()) -> AsyncIterator[Sandbox]:
        async with open_sandbox(preload=preload) as sandbox:
            yield Metered(sandbox, self, purpose)


class Metered:
    """A sandbox that counts."""

    name = "metered"

    def __init__(self, sandbox: Sandbox, meter: Meter, purpose: str) -> None:
        self._sandbox, self._meter, self._purpose = sandbox, meter, purpose
        self.isolation = sandbox.isolation

    async def run(self, program: Program, *, replica: int = 0) -> Execution:
        execution = await self._sandbox.run(program, replica=replica)
        self._meter.cpu_s[self._purpose] += execution.cpu_us / 1e6
        return execution


@dataclass
class Turn:
    direction: str
    target: float
    rate: float | None
    invalid: str
    parent: int | None
    stronger: float | None = None
    reply: str = ""
    note: str = ""


@dataclass
class Chain:
    seed: str
    environment: str
    strategy: str
    turns: list[Turn] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return [turn.rate for turn in self.turns if turn.rate is not None]

    @property
    def usable(self) -> int:
        return sum(rate in KEPT for rate in self.rates)

    @property
    def bins(self) -> set[str]:
        return {name for rate in self.rates if (name := bin_of(rate))}


@dataclass
class Rig:
    """What a chain is grown with."""

    sandbox: Sandbox
    teacher: Teacher
    student: Student
    stronger: Student | None
    turns: int
    attempts: int
    rng: int

    async def grow(self, seed: SeedDraft, environment: Environment, strategy: Strategy) -> Chain:
        chain = Chain(seed.source, environment.name, strategy.name)
        nodes: list[Node] = []
        past: list[PastTurn] = []
        seen: set[str] = set()
        while steps := strategy.next(nodes, Plan(self.turns, 1, TARGET)):
            step, place = steps[0], Place(len(nodes) + 1)
            rng = derive(self.rng, seed.source, environment.name, strategy.name, place.turn)
            options = environment.Options()
            history = tuple(past) if strategy.remembers else ()
            brief = Brief(
                environment.name, seed.text, seed.kind, step, rng, history, options=options.model_dump(mode="json")
            )
            reply = await self.teacher.propose(ProposalRequest(brief, ()))
            turn = Turn(step.direction, step.target.middle, None, "", step.parent.turn if step.parent else None)
            turn.reply, turn.note = reply.text, reply.reasoning
            problem: Problem | None = None
            detail = ""
            try:
                problem = await environment.check(environment.parse(reply.text), self.sandbox, options)
                if fingerprint(problem) in seen:
                    raise InvalidProposal("duplicate", "This problem is in the chain already.")
                seen.add(fingerprint(problem))
                turn.rate = await self.rate(environment, problem, self.student, derive(rng, "student"))
                if self.stronger:
                    turn.stronger = await self.rate(environment, problem, self.stronger, derive(rng, "student"))
            except InvalidProposal as invalid:
                turn.invalid, detail = invalid.code, invalid.detail
            node = Node(place, step, turn.rate, turn.invalid or None)
            nodes.append(node)
            past.append(PastTurn(node, reply.text, problem, detail))
            chain.turns.append(turn)
        return chain

    async def rate(self, environment: Environment, problem: Problem, student: Student, rng: int) -> float:
        view = environment.present(problem)
        request = AttemptRequest(environment.name, view, tuple, str, self.attempts, rng)
        replies = [reply.text for reply in await student.attempt(request)]
        judgements = await environment.verify(problem, replies, self.sandbox)
        return sum(judgement.verdict is Verdict.PASSED for judgement in judgements) / len(judgements)


async def measure(arguments: argparse.Namespace) -> tuple[list[Chain], Meter, float]:
    engine = registry.engine("procedural")
    seeds = stdlib_snippets(arguments.seeds, Random(arguments.rng))  # noqa: S311  (a reproducible sample)
    meter = Meter()
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(meter.opened("verdicts"))
        teacher_context = EngineContext(lambda *, preload=(): meter.opened("teacher", preload))
        student_context = EngineContext(lambda *, preload=(): meter.opened("student", preload))
        chosen = engine.TeacherOptions.model_validate(json.loads(arguments.teacher))
        teacher = await stack.enter_async_context(engine.teacher(chosen, teacher_context))
        student = await stack.enter_async_context(engine.student(engine.StudentOptions(), student_context))
        stronger = None
        if arguments.stronger:
            options = engine.StudentOptions.model_validate({"budget": arguments.stronger})
            stronger = await stack.enter_async_context(engine.student(options, student_context))
        rig = Rig(sandbox, teacher, student, stronger, arguments.turns, arguments.attempts, arguments.rng)
        started = time.monotonic()
        places = asyncio.Semaphore(arguments.concurrency)

        async def one(seed: SeedDraft, environment: str, strategy: str) -> Chain:
            async with places:
                return await rig.grow(seed, registry.environment(environment), registry.strategy(strategy))

        jobs = [
            one(seed, environment, strategy)
            for strategy in arguments.strategies.split(",")
            for environment in arguments.environments.split(",")
            for seed in seeds
        ]
        chains = await asyncio.gather(*jobs)
    return list(chains), meter, time.monotonic() - started


def table(chains: Sequence[Chain]) -> str:
    lines = [
        "environment strategy     chains usable bins>=2 complete yield valid  easier->higher  harder->lower  stronger"
    ]
    groups: defaultdict[tuple[str, str], list[Chain]] = defaultdict(list)
    for chain in chains:
        groups[chain.environment, chain.strategy].append(chain)
        groups["all", chain.strategy].append(chain)
    for (environment, strategy), group in groups.items():
        n = len(group)
        turns = [turn for chain in group for turn in chain.turns]
        bins = Counter(bin_of(rate) for chain in group for rate in chain.rates)
        ends = f"0:{sum(turn.rate == 0 for turn in turns)} 1:{sum(turn.rate == 1 for turn in turns)}"
        lines.append(
            f"{environment:11} {strategy:12} {n:6} {sum(chain.usable > 0 for chain in group) / n:6.2f}"
            f" {sum(len(chain.bins) >= 2 for chain in group) / n:7.2f}"
            f" {sum(chain.bins >= {'easy', 'medium', 'hard'} for chain in group) / n:8.2f}"
            f" {sum(chain.usable for chain in group) / len(turns):5.2f}"
            f" {sum(turn.rate is not None for turn in turns) / len(turns):5.2f}"
            f"  {moved(group, Direction.EASIER):>14} {moved(group, Direction.HARDER):>13} {stronger(turns):>9}"
            f"  {' '.join(f'{b.name}:{bins[b.name]}' for b in BROAD)} {ends}"
        )
    reasons = Counter(turn.invalid for chain in chains for turn in chain.turns if turn.invalid)
    return "\n".join([*lines, f"invalid: {dict(reasons.most_common())}"])


def moved(chains: Sequence[Chain], direction: Direction) -> str:
    """The share of moves in a direction that went there, of those that changed the rate, and their number."""
    right = total = 0
    for chain in chains:
        for turn in chain.turns:
            parent = chain.turns[turn.parent - 1] if turn.parent else None
            if turn.direction != direction or turn.rate is None or parent is None or parent.rate is None:
                continue
            total += turn.rate != parent.rate
            right += (turn.rate > parent.rate) if direction is Direction.EASIER else (turn.rate < parent.rate)
    return f"{right / total:.2f} of {total}" if total else "-"


def stronger(turns: Sequence[Turn]) -> str:
    """How often the stronger student did better, of the variants on which the two differ."""
    pairs = [(turn.rate, turn.stronger) for turn in turns if turn.rate is not None and turn.stronger is not None]
    different = [(a, b) for a, b in pairs if a != b]
    return f"{sum(b > a for a, b in different) / len(different):.2f}" if different else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--environments", default=",".join(ENVIRONMENTS))
    parser.add_argument("--strategies", default="adaptive,single_turn")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--attempts", type=int, default=32)
    parser.add_argument("--stronger", type=float, default=0.0, help="budget of a second student, 0 for none")
    parser.add_argument("--teacher", default="{}", help="options of the teacher, as JSON")
    parser.add_argument("--rng", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--out", type=Path, help="where to write every chain as JSON")
    arguments = parser.parse_args()
    chains, meter, wall_s = asyncio.run(measure(arguments))
    print(table(chains))
    per_chain = {purpose: round(cpu_s / len(chains), 3) for purpose, cpu_s in meter.cpu_s.items()}
    print(f"{len(chains)} chains in {wall_s:.1f} s; CPU seconds per chain: {per_chain}")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps([asdict(chain) for chain in chains], indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
