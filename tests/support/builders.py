"""Rows for tests: small functions with sensible defaults that add one thing each and give it back, flushed.

`grown_run` puts them together: a run whose chains hold real problems with measurements and attempts. The caller
commits (see app.db.unit_of_work).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

from sqlalchemy import select

from app.db import Session
from app.domain.actor import Actor, Role
from app.domain.difficulty import Tally
from app.domain.embeddings import pack, text_of
from app.domain.problem import Problem
from app.domain.problem_codec import decode_problem, encode_problem
from app.domain.sketch import bands, sketch
from app.domain.values import render
from app.features.embeddings import figures
from app.features.embeddings import queries as embedded
from app.features.embeddings.schemas import SPREADS
from app.models import (
    Attempt,
    BenchmarkItem,
    BenchmarkSet,
    Chain,
    Decision,
    Embedding,
    Growth,
    Incident,
    Measurement,
    Membership,
    ModelProfile,
    Overlap,
    Remeasurement,
    RemeasurementItem,
    Run,
    RunBenchmark,
    RunEmbedding,
    Seed,
    SeedSet,
    Sketch,
    StageUsage,
    User,
    Variant,
    Workspace,
)
from tests.support.problems import FAMILIES, MERGE, Family, reply_of
from tests.support.vectors import vector_of

ATTEMPTS = 32
ENVIRONMENTS = ("induction", "abduction", "deduction", "fuzzing")
_NUMBERS = count(1)
Row = TypeVar("Row")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def workspace(session: Session, name: str = "Reinforcement learning") -> Workspace:
    return _add(session, Workspace(name=name))


def member(session: Session, inside: Workspace | Actor, name: str = "Ada", role: Role = Role.MEMBER) -> Actor:
    """A person of a workspace, as services see them; `inside` is the workspace or somebody in it."""
    workspace_id = inside.workspace_id if isinstance(inside, Actor) else inside.id
    user = _add(session, User(email=f"{name.lower()}.{next(_NUMBERS)}@example.org", name=name))
    _add(session, Membership(workspace_id=workspace_id, user_id=user.id, role=role.value))
    return Actor(workspace_id, user.id, role, name)


def owner(session: Session, name: str = "Ada") -> Actor:
    """A person who owns a workspace of their own."""
    return member(session, workspace(session), name, Role.OWNER)


def seed_set(session: Session, actor: Actor, families: Sequence[Family] = FAMILIES, name: str = "") -> SeedSet:
    """A set with one snippet per family."""
    made = _add(
        session,
        SeedSet(
            workspace_id=actor.workspace_id,
            name=name or f"standard library {next(_NUMBERS)}",
            origin="stdlib",
            seed_count=len(families),
            created_by=actor.user_id,
        ),
    )
    for position, family in enumerate(families):
        seed(session, made, position, family)
    return made


def seed(session: Session, inside: SeedSet, position: int = 0, family: Family = MERGE) -> Seed:
    return _add(
        session,
        Seed(
            workspace_id=inside.workspace_id,
            seed_set_id=inside.id,
            position=position,
            kind="snippet",
            text=family.seed,
            licence=family.licence,
            source=family.source,
            digest=digest(f"{position} {family.seed}"),
        ),
    )


def profile(
    session: Session, actor: Actor, role: str = "student", model: str = "procedural", **spec: object
) -> ModelProfile:
    made = ModelProfile(
        workspace_id=actor.workspace_id,
        role=role,
        engine=model,
        model=model,
        spec={"engine": model, **spec},
        digest=digest(f"{role} {model} {spec} {next(_NUMBERS)}"),
    )
    return _add(session, made)


def run(
    session: Session, actor: Actor, name: str = "stdlib, four environments", state: str = "running", **config: object
) -> Run:
    """A run without chains; `config` overrides settings of its RunConfig."""
    seeds = seed_set(session, actor)
    settings = {
        "name": name,
        "seeds": {"set": seeds.name},
        "environments": list(ENVIRONMENTS),
        "attempts": ATTEMPTS,
        "turns": 6,
        "kept": {"low": 0.01, "high": 0.97},
    }
    made = Run(
        workspace_id=actor.workspace_id,
        name=name,
        state=state,
        config=settings | config,
        seed_set_id=seeds.id,
        teacher_profile_id=profile(session, actor, "teacher").id,
        student_profile_id=profile(session, actor, "student", effort=1.0).id,
        created_by=actor.user_id,
        finished_at=datetime.now(UTC) if state == "finished" else None,
    )
    return _add(session, made)


def chain(
    session: Session,
    inside: Run,
    position: int = 0,
    environment: str = "induction",
    arm: str = "main",
    state: str = "finished",
    seed_id: int | None = None,
) -> Chain:
    """A chain of a run; it grows from a seed of its own unless one is given."""
    if seed_id is None:
        place = next(_NUMBERS) + 1_000
        seed_id = seed(session, session.get_one(SeedSet, inside.seed_set_id), place).id
    made = Chain(
        workspace_id=inside.workspace_id,
        run_id=inside.id,
        arm=arm,
        position=position,
        seed_id=seed_id,
        environment=environment,
        state=state,
        stop_reason="turns_used" if state == "finished" else "",
    )
    return _add(session, made)


def variant(
    session: Session,
    inside: Chain,
    problem: Problem | None = None,
    *,
    turn: int = 1,
    branch: int = 1,
    parent: Variant | None = None,
    direction: str = "",
    invalid: tuple[str, str] | None = None,
    stage: str = "done",
    reasoning: str = "",
    asked: Growth | None = None,
) -> Variant:
    """A proposal in a chain: the first version of MERGE unless `problem` is given or `invalid` (code, detail) is."""
    place = f"{turn:03d}.{branch:02d}"
    problem = problem or MERGE.problem(inside.environment, 0)
    text = encode_problem(problem)
    holds = invalid is None and stage != "proposed"
    made = _add(
        session,
        Variant(
            workspace_id=inside.workspace_id,
            run_id=inside.run_id,
            chain_id=inside.id,
            environment=inside.environment,
            turn=turn,
            branch=branch,
            parent_id=parent.id if parent else None,
            growth_id=asked.id if asked else None,
            direction=direction or ("harder" if parent else "first"),
            target_low=0.35,
            target_high=0.65,
            stage=stage,
            reply=reply_of(problem),
            reasoning=reasoning,
            prompt_tokens=1_840,
            completion_tokens=612,
            prompt_hash=digest(f"prompt {inside.environment}"),
            environment_version="1",
            isolation="full",
            invalid_code=invalid[0] if invalid else None,
            invalid_detail=invalid[1] if invalid else "",
            problem=text if holds else None,
            content_hash=digest(text) if holds else None,
            fingerprint=digest(f"{problem.program} {inside.id}") if holds else None,
            path=f"{parent.path}/{place}" if parent else place,
            depth=parent.depth + 1 if parent else 0,
        ),
    )
    _took(session, made, "proposing", prompt_tokens=made.prompt_tokens, completion_tokens=made.completion_tokens)
    if stage != "proposed":
        _took(session, made, "checking")
    if asked is None:
        inside.next_turn = max(inside.next_turn or 1, turn + 1)
    while parent is not None:
        parent.subtree += 1
        parent = session.get(Variant, parent.parent_id) if parent.parent_id else None
    session.flush()
    return made


def measurement(
    session: Session,
    of: Variant,
    passed: int,
    failed: int | None = None,
    errors: int = 0,
    *,
    student: ModelProfile | None = None,
    attempts: bool = True,
) -> Measurement:
    """How the run's student (or another) did at a variant: 32 attempts in all unless `failed` says otherwise."""
    tally = Tally(passed, ATTEMPTS - passed - errors if failed is None else failed, errors)
    low, high = tally.interval
    made = _add(
        session,
        Measurement(
            workspace_id=of.workspace_id,
            variant_id=of.id,
            student_profile_id=student.id if student else session.get_one(Run, of.run_id).student_profile_id,
            passed=tally.passed,
            failed=tally.failed,
            errors=tally.errors,
            rate=tally.rate(24),
            low=low,
            high=high,
            prompt_hash=digest(f"attempt {of.environment}"),
            isolation="full",
            judged_at=datetime.now(UTC),
        ),
    )
    if attempts:
        session.add_all(_attempts(made, tally, of))
        session.flush()
    if student is None:
        samples = tally.n + tally.errors
        _took(session, of, "attempting", samples, prompt_tokens=310 * samples, completion_tokens=100 * samples)
        _took(session, of, "judging", samples, errors=tally.errors)
    return made


def _took(session: Session, of: Variant, stage: str, samples: int = 1, **more: int) -> None:
    """What a stage of a variant took: a second and a half, a second of it with a model or half of it in the sandbox."""
    asks = stage in ("proposing", "attempting")
    session.add(
        StageUsage(
            variant_id=of.id,
            stage=stage,
            workspace_id=of.workspace_id,
            run_id=of.run_id,
            arm="asked" if of.growth_id else session.get_one(Chain, of.chain_id).arm,
            samples=samples,
            wall_s=1.5,
            model_s=1.0 if asks else None,
            sandbox_s=None if asks else 0.75,
            cpu_s=None if asks else 0.25,
            **more,
        )
    )
    session.flush()


def _attempts(of: Measurement, tally: Tally, at: Variant) -> list[Attempt]:
    """Passes answer the gold value, failures one of three others; numbers alternate so that neither comes first."""
    answers = {
        "passed": ("", ("[1, 2, 3, 4]",)),
        "failed": ("wrong_value", ("[1, 2, 3]", "[1, 2, 4, 3]", "")),
        "error": ("sandbox_unavailable", ("[1, 2, 3, 4]",)),
    }
    verdicts = ["passed"] * tally.passed + ["failed"] * tally.failed + ["error"] * tally.errors
    rows = []
    for number, place in enumerate(sorted(range(len(verdicts)), key=lambda i: (i * 7) % 32), 1):
        verdict = verdicts[place]
        reason, choices = answers[verdict]
        answer = choices[(place * place) % len(choices)]
        thought = f"Walk through f step by step. {'First line, then the loop. ' * (1 + place % 4)}\n\n"
        rows.append(
            Attempt(
                workspace_id=of.workspace_id,
                measurement_id=of.id,
                number=number,
                reply=thought + (f"```output\n{answer}\n```" if answer else "I cannot tell."),
                prompt_tokens=310,
                completion_tokens=90 + place,
                verdict=verdict,
                reason=reason if answer else "no_answer",
                detail="" if verdict == "passed" else f"expected {render(at.turn)}",
                answer=answer,
            )
        )
    return rows


# One tree per entry: (turn, branch, parent's place, direction, passed of 32 or a reason why invalid).
Shape = tuple[tuple[int, int, tuple[int, int] | None, str, int | str], ...]
WALK: Shape = (
    (1, 1, None, "first", 32),
    (2, 1, (1, 1), "harder", 14),
    (3, 1, (2, 1), "harder", 4),
    (3, 2, (2, 1), "vary", 17),
    (4, 1, (3, 1), "easier", "nondeterministic"),
    (5, 1, (4, 1), "repair", 16),
    (6, 1, (3, 2), "easier", 28),
)
LINE: Shape = (
    (1, 1, None, "first", 0),
    (2, 1, (1, 1), "easier", "runtime_error"),
    (3, 1, (2, 1), "repair", 12),
    (4, 1, (3, 1), "easier", 29),
    (5, 1, (3, 1), "harder", 3),
)
SHAPES = (WALK, LINE)
_DETAILS = {
    "nondeterministic": "f gives [3, 1] in one process and [1, 3] in another on input 2.",
    "runtime_error": "f raises IndexError: list index out of range on input 3, [[], []], 2.",
}


def grown_chain(
    session: Session,
    inside: Run,
    position: int = 0,
    environment: str = "induction",
    family: Family = MERGE,
    shape: Shape = WALK,
    arm: str = "main",
    *,
    attempts: bool = True,
) -> list[Variant]:
    """A chain grown along `shape`, its variants in the order of growth."""
    source = seed(session, session.get_one(SeedSet, inside.seed_set_id), next(_NUMBERS) + 1_000, family)
    home = chain(session, inside, position, environment, arm, seed_id=source.id)
    grown: dict[tuple[int, int], Variant] = {}
    for step, (turn, branch, parent, direction, outcome) in enumerate(shape):
        made = variant(
            session,
            home,
            family.problem(environment, step),
            turn=turn,
            branch=branch,
            parent=grown[parent] if parent else None,
            direction=direction,
            invalid=(outcome, _DETAILS[outcome]) if isinstance(outcome, str) else None,
            reasoning="The last version was solved too often. I let ties matter and ask for the order of the runs.",
        )
        made.created_at = datetime.now(UTC) - timedelta(minutes=len(shape) - step)
        if isinstance(outcome, int):
            measurement(session, made, outcome, errors=1 if outcome == 17 else 0, attempts=attempts)
        grown[turn, branch] = made
    return list(grown.values())


def grown_run(session: Session, actor: Actor, chains: int = 4, *, attempts: bool = True, **config: object) -> Run:
    """A run with `chains` grown chains of every environment in turn, and a baseline chain for each."""
    made = run(session, actor, **config)  # type: ignore[arg-type]
    for position in range(chains):
        environment = ENVIRONMENTS[position % len(ENVIRONMENTS)]
        family, shape = FAMILIES[position % len(FAMILIES)], SHAPES[position % len(SHAPES)]
        grown_chain(session, made, position, environment, family, shape, attempts=attempts)
        single: Shape = ((1, 1, None, "first", 32), (2, 1, None, "first", 20))
        grown_chain(session, made, position, environment, family, single, "baseline", attempts=attempts)
    return made


def sketches(session: Session, of: Run) -> None:
    """What the run's valid variants are compared by. They are not marked."""
    for made, home in session.execute(
        select(Variant, Chain)
        .join(Chain, Chain.id == Variant.chain_id)
        .where(Variant.run_id == of.id, Variant.problem.is_not(None))
    ):
        kept = sketch(decode_problem(made.problem or "").program)
        place = {"asked": made.growth_id is not None, "position": home.position, "turn": made.turn}
        session.add(
            Sketch(
                variant_id=made.id,
                workspace_id=made.workspace_id,
                run_id=made.run_id,
                chain_id=made.chain_id,
                arm=home.arm,
                environment=made.environment,
                branch=made.branch,
                signature=kept.signature,
                bands=list(bands(kept.signature, f"{made.workspace_id}/{made.environment}")),
                constructs=list(kept.constructs),
                **place,
            )
        )
    session.flush()


def embeddings(session: Session, actor: Actor, of: Run, state: str = "done", error: str = "") -> RunEmbedding:
    """Vectors of the run's valid variants, by a model of its own: of all when it is done, else of every other one."""
    model = profile(session, actor, "embedder", "qwen3-embedding")
    valid = session.query(Variant).where(Variant.run_id == of.id, Variant.problem.is_not(None)).order_by(Variant.id)
    for made in valid.all()[:: 1 if state == "done" else 2]:
        vector = pack(vector_of(text_of(decode_problem(made.problem or ""))))
        session.add(Embedding(profile_id=model.id, variant_id=made.id, workspace_id=made.workspace_id, vector=vector))
    session.flush()
    options = {"base_url": "http://gpu-1:8000/v1", "model": model.model}
    asked = RunEmbedding(
        run_id=of.id,
        workspace_id=of.workspace_id,
        profile_id=model.id,
        state=state,
        config={"embedder": {"engine": "openai", "options": options}},
        error=error,
    )
    if state == "done":
        spreads = figures.spreads(embedded.vectors(session, of.id, model.id))
        asked.figures = SPREADS.dump_python(spreads, mode="json")
        asked.finished_at = datetime.now(UTC)
    return _add(session, asked)


def benchmark_set(session: Session, actor: Actor, name: str = "HumanEval") -> BenchmarkSet:
    return _add(session, BenchmarkSet(workspace_id=actor.workspace_id, name=name, origin="test", item_count=1))


def benchmark_item(session: Session, inside: BenchmarkSet, position: int = 0) -> BenchmarkItem:
    made = BenchmarkItem(workspace_id=inside.workspace_id, benchmark_set_id=inside.id, position=position)
    made.name, made.statement, made.code = f"HumanEval/{position}", "Merge the runs.", "def f(runs):\n    return runs"
    made.grams, made.bands = [], []
    return _add(session, made)


def overlap(session: Session, of: Variant, item: BenchmarkItem) -> Overlap:
    """The variant shares two stretches of words with the item, and its run is compared with the item's set."""
    place = {"workspace_id": of.workspace_id, "benchmark_set_id": item.benchmark_set_id}
    session.merge(RunBenchmark(run_id=of.run_id, **place))
    of.contaminated = True
    made = Overlap(variant_id=of.id, benchmark_item_id=item.id, kind="text", grams=2, **place)
    made.passage = "merge the runs and keep the order of equal items in every one of them"
    return _add(session, made)


def growth(
    session: Session, actor: Actor, origin: Variant, instruction: str = "Let ties matter.", state: str = "finished"
) -> Growth:
    """Somebody's request for one child of a variant, which has grown and was measured unless it is open."""
    branch = 16 + next(_NUMBERS)
    asked = Growth(
        workspace_id=origin.workspace_id,
        run_id=origin.run_id,
        chain_id=origin.chain_id,
        variant_id=origin.id,
        direction="harder",
        instruction=instruction,
        children=1,
        turns=1,
        target_low=0.1,
        target_high=0.26,
        first_branch=branch,
        digest=digest(f"growth {branch}"),
        state=state,
        stop_reason="turns_used" if state == "finished" else "",
        next_turn=origin.turn + (2 if state == "finished" else 1),
        asked_by=actor.user_id,
    )
    _add(session, asked)
    if state == "finished":
        home = session.get_one(Chain, origin.chain_id)
        problem = MERGE.problem(home.environment, 4)
        child = variant(session, home, problem, turn=origin.turn + 1, branch=branch, parent=origin, asked=asked)
        measurement(session, child, 6)
    return asked


def remeasurement(session: Session, actor: Actor, *variants: Variant, state: str = "running") -> Remeasurement:
    """Of the given variants by a student of its own; the first half of them is measured."""
    student = profile(session, actor, "student", "qwen3-8b")
    made = Remeasurement(
        workspace_id=actor.workspace_id,
        name="The same with Qwen",
        state=state,
        config={"student": {"engine": "procedural", "options": {}}, "attempts": ATTEMPTS},
        student_profile_id=student.id,
        created_by=actor.user_id,
    )
    _add(session, made)
    for at, each in enumerate(variants):
        done = at < (len(variants) + 1) // 2
        item = RemeasurementItem(
            remeasurement_id=made.id,
            variant_id=each.id,
            workspace_id=actor.workspace_id,
            state="done" if done else "open",
        )
        _add(session, item)
        if done:
            measurement(session, each, (7 * at) % (ATTEMPTS + 1), student=student)
    return made


def incident(session: Session, inside: Run, stage: str, kind: str, message: str) -> Incident:
    """An infrastructure error that a run met."""
    made = Incident(workspace_id=inside.workspace_id, run_id=inside.id, stage=stage, kind=kind, message=message)
    return _add(session, made)


def approve(session: Session, actor: Actor, *variants: Variant) -> None:
    """The decisions of a person who approves every one of these."""
    for of in variants:
        made = Decision(workspace_id=of.workspace_id, variant_id=of.id, user_id=actor.user_id, kind="approve")
        made.content_hash = of.content_hash or ""
        session.add(made)
        of.review = "approved"
    session.flush()


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row
