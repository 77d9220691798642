"""What stages took is kept once per stage, whoever repeats it, and changes no result."""

from __future__ import annotations

import pytest
from alembic import command
from anyio.from_thread import BlockingPortal
from sqlalchemy import func, select

from app.config import settings
from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.runs import usage
from app.features.runs.usage import StageSum
from app.migrate import config, upgrade
from app.models import Attempt, Incident, Run, StageUsage, Variant
from tests.support import builders, refining
from tests.support.model_server import procedural, serve

pytestmark = pytest.mark.usefixtures("database", "broker", "quick")
STAGES = ["proposing", "checking", "attempting", "judging"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane, frequent looks at pause and cancel, hardly a pause before a failed request is made again."""
    monkeypatch.setattr(settings(), "worker_processes", 1)
    monkeypatch.setattr(settings(), "control_s", 0.05)
    monkeypatch.setattr(settings(), "retry_pause_s", 0.001)


def sums(run_id: int) -> list[StageSum]:
    with unit_of_work() as session:
        return usage.of_run(session, run_id)


def counts(found: list[StageSum]) -> list[tuple[str, str, int, int, int, int]]:
    """What must be the same whenever a run is repeated; times need not."""
    return [(s.arm, s.stage, s.count, s.samples, s.prompt_tokens, s.completion_tokens) for s in found]


def test_tokens_and_counts_are_those_of_variants_and_attempts_and_times_are_measured(portal: BlockingPortal) -> None:
    actor = refining.owner_with_seeds(1)
    with (
        portal.wrap_async_context_manager(procedural()) as model,
        portal.wrap_async_context_manager(serve(model)) as server,
    ):
        server.every = 4  # passing trouble: what is asked again is an error, and no second reply
        options = {"engine": "openai", "options": {"base_url": server.url, "model": "m"}}
        run_id = refining.start(actor, environments=["abduction"], teacher=options, student=options, baseline=True)
        refining.drive(run_id)
        assert server.met
    report = refining.check(run_id)
    assert (report.state, report.problems) == ("finished", ())
    found = sums(run_id)
    assert [(s.arm, s.stage) for s in found] == [(arm, stage) for arm in ("main", "baseline") for stage in STAGES]
    by_stage = {stage: [s for s in found if s.stage == stage] for stage in STAGES}
    with unit_of_work() as session:
        proposed = session.execute(select(func.sum(Variant.completion_tokens), func.count(Variant.id))).one()
        replied = session.execute(
            select(func.sum(Attempt.prompt_tokens), func.sum(Attempt.completion_tokens), func.count(Attempt.id))
        ).one()
        incidents = session.scalar(select(func.count()).select_from(Incident))
    asked, tried = by_stage["proposing"], by_stage["attempting"]
    assert (sum(s.completion_tokens for s in asked), sum(s.count for s in asked)) == tuple(proposed)
    assert tuple(replied) == tuple(
        sum(getattr(s, name) for s in tried) for name in ("prompt_tokens", "completion_tokens", "samples")
    )
    assert all(s.prompt_tokens > 0 for s in asked + tried)
    assert sum(s.errors for s in asked + tried) >= incidents > 0
    for s in found:
        assert s.timed == s.count > 0
        assert (s.model_s is not None) == (s.stage in ("proposing", "attempting"))
        if s.stage != "judging":  # the gold answer passes without being run
            assert (s.sandbox_s is not None) == (s.cpu_s is not None) == (s.stage == "checking")
        assert s.wall_s is not None
        assert (s.model_s or 0) <= s.wall_s
        assert (s.cpu_s or 1) > 0


def test_a_run_that_is_stopped_again_and_again_says_the_same_once() -> None:
    actor = refining.owner_with_seeds(1)
    whole = refining.start(actor)
    refining.drive(whole)
    broken = refining.start(actor)
    for looks in (3, 8, 15):
        left = iter(range(looks))
        refining.drive(broken, lambda left=left: next(left, None) is None)
    refining.drive(broken)
    assert counts(sums(broken)) == counts(sums(whole))
    assert refining.check(broken).digest == refining.check(whole).digest


def test_the_digest_does_not_depend_on_what_stages_took_and_the_check_misses_none() -> None:
    run_id = refining.start(refining.owner_with_seeds(1), environments=["deduction"])
    refining.drive(run_id)
    before = refining.check(run_id)
    with unit_of_work() as session:
        for row in session.execute(select(StageUsage)).scalars():
            row.wall_s, row.completion_tokens = 1_000.0, 7
    assert refining.check(run_id) == before
    with unit_of_work() as session:
        lost = session.execute(select(StageUsage).where(StageUsage.stage == "checking").limit(1)).scalar_one()
        session.delete(lost)
    (problem,) = refining.check(run_id).problems
    assert problem.startswith(f"variant {lost.variant_id}: stages")


def test_runs_of_before_keep_their_tokens(database: str) -> None:
    """The migration fills in what was known all along."""
    with unit_of_work() as session:
        ada: Actor = builders.owner(session, "Ada")
        run = builders.grown_run(session, ada, chains=2)
        builders.growth(session, ada, session.query(Variant).where(Variant.problem.is_not(None)).limit(1).one())
        made: Run = run
    stored = [(s.arm, s.stage, s.count, s.samples, s.errors) for s in sums(made.id)]
    command.downgrade(config(database), "0002")
    upgrade(database)
    found = sums(made.id)
    assert [(s.arm, s.stage, s.count, s.samples, s.errors) for s in found] == stored
    with unit_of_work() as session:
        replied = session.execute(select(func.sum(Attempt.completion_tokens))).scalar_one()
    assert sum(s.completion_tokens for s in found if s.stage == "attempting") == replied
    assert {(s.timed, s.wall_s, s.cpu_s) for s in found} == {(0, None, None)}
