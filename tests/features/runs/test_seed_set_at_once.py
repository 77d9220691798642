"""A run starts on a seed set while somebody deletes it: one of both happens, and the other is told."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from app.db import Session, unit_of_work
from app.domain.actor import Actor
from app.errors import Conflict, InvalidInput
from app.features.runs import queries
from app.features.runs import service as runs
from app.features.runs.schemas import parse
from app.features.seeds import service as seeds
from app.models import Chain, Run, Seed, SeedSet
from tests.support import refining
from tests.support.at_once import overlapping

CONFIG = parse({"seeds": {"set": "stdlib"}, "environments": ["deduction"], "baseline": False})


@pytest.fixture
def ada(database: str, broker: str) -> Actor:
    return refining.owner_with_seeds()


def _start(session: Session, actor: Actor) -> Run:
    return runs.create(session, actor, CONFIG)


def _delete(session: Session, actor: Actor) -> str:
    set_id = session.execute(select(SeedSet.id).where(SeedSet.name == "stdlib")).scalar_one()
    return seeds.delete_set(session, actor, set_id, "stdlib")


def _left() -> dict[str, int]:
    with unit_of_work() as session:
        return {
            table.__tablename__: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (SeedSet, Seed, Run, Chain)
        }


def test_a_deletion_that_comes_second_is_refused(ada: Actor) -> None:
    _, deletion = overlapping(lambda session: _start(session, ada), lambda session: _delete(session, ada))
    with pytest.raises(Conflict, match="1 run uses this set"):
        deletion.result()
    assert _left() == {"seed_set": 1, "seed": 2, "run": 1, "chain": 2}


def test_a_run_that_comes_second_is_told_at_its_field_that_the_set_is_gone(ada: Actor) -> None:
    _, started = overlapping(lambda session: _delete(session, ada), lambda session: _start(session, ada))
    with pytest.raises(InvalidInput, match=r"no seed set named 'stdlib'.*Import seeds first") as raised:
        started.result()
    assert (raised.value.status, raised.value.field) == (422, "seeds.set")
    assert _left() == {"seed_set": 0, "seed": 0, "run": 0, "chain": 0}


def test_runs_that_start_on_one_set_do_not_wait_for_each_other(ada: Actor) -> None:
    with unit_of_work() as session:
        _start(session, ada)
        with unit_of_work() as meanwhile:
            meanwhile.execute(text("set local lock_timeout = '5s'"))
            queries.hold_seed_set(meanwhile, ada.workspace_id, CONFIG.seeds.set)
