"""A workspace with something of everything, for tests that walk through all pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.db import Session
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from app.features.curricula import service as curricula
from app.features.curricula.schemas import Selection
from app.models import Run, Variant
from tests.support import builders


@dataclass(frozen=True)
class World:
    """Ids by the names that they have in addresses; `token` signs in once."""

    token: str
    run_id: int
    paused_run_id: int
    limited_run_id: int
    variant_id: int
    invalid_id: int
    set_id: int
    benchmark_set_id: int
    item_id: int
    curriculum_id: int
    remeasurement_id: int
    number: int  # of the frozen version; the draft is the next one

    def address(self, path: str, **changes: int) -> str:
        """A route's path with its parameters filled in. Raises KeyError for one that nothing here stands for."""
        known: Mapping[str, object] = vars(self) | changes
        return re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(known[found[1]]), path)


def _limited(session: Session, actor: Actor) -> Run:
    """A preview that has met a cap: goal, meters, estimates and ends are all on its page."""
    limits = {"until": {"usable": 2}, "caps": {"tokens": 90_000, "money": 5}, "early_stop": {"unmoved": 3}}
    run = builders.run(session, actor, "Preview: as many as needed", "finished", environments=["induction"], **limits)
    run.previews = run.config
    run.prices = {"currency": "EUR", "teacher": {"prompt": 1.0, "hour": 2.0}, "student": {"completion": 9.0}}
    for position in (1, 2, 3):
        builders.grown_chain(session, run, position)
    last = builders.chain(session, run, 4)
    last.state, last.stop_reason, last.epoch, last.student_completion_tokens = "stopped", "cap_tokens", 1, 91_000
    builders.chain(session, run, 5, state="stopped").stop_reason = "cap_tokens"
    return run


def make(session: Session, actor: Actor) -> World:
    """Two runs, one of them in trouble; variants approved, asked for and measured again; a frozen curriculum and its
    next draft.
    """
    run = builders.grown_run(session, actor, chains=4)
    paused = builders.grown_run(session, actor, chains=2, name="Its server is away")
    paused.state, paused.error = "paused", "teacher: http://gpu-1:8000/v1 does not answer"
    builders.incident(session, paused, "teacher", "unreachable", "http://gpu-1:8000/v1 does not answer")
    first = session.query(Variant).where(Variant.run_id == run.id).order_by(Variant.id)
    good = first.where(Variant.problem.is_not(None)).all()
    builders.approve(session, actor, *good[:8])
    builders.growth(session, actor, good[-1])
    builders.growth(session, actor, good[-1], instruction="", state="open")
    remeasurement = builders.remeasurement(session, actor, *good[:9])
    builders.sketches(session, run)
    builders.grown_chain(session, run, 4)
    builders.embeddings(session, actor, run)
    builders.embeddings(session, actor, paused, "paused", "http://gpu-1:8000/v1 can't be reached: Connection refused.")
    benchmark = builders.benchmark_set(session, actor)
    item = builders.benchmark_item(session, benchmark)
    builders.overlap(session, good[-1], item)
    made = curricula.create(session, actor, "First steps", Selection())
    curricula.freeze(session, actor, made.id, 1)
    curricula.new_version(session, actor, made.id)
    limited = _limited(session, actor)
    builders.embeddings(session, actor, limited, "running", "The server answered 503: the queue is full")
    return World(
        token=accounts.create_sign_in_link(session, actor),
        run_id=run.id,
        paused_run_id=paused.id,
        limited_run_id=limited.id,
        variant_id=good[-1].id,
        invalid_id=first.where(Variant.invalid_code.is_not(None)).limit(1).one().id,
        set_id=run.seed_set_id,
        benchmark_set_id=benchmark.id,
        item_id=item.id,
        curriculum_id=made.id,
        remeasurement_id=remeasurement.id,
        number=1,
    )
