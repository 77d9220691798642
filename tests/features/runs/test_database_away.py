"""A database that is away for longer than a lease: lanes end, and nothing is recorded against chains or run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal
from sqlalchemy import Connection, make_url, select, text

from app import prompts
from app.config import settings
from app.db import unit_of_work
from app.models import Chain
from tests.support import refining
from tests.support.model_server import Body, ModelServer, is_teachers, saying, serve


@pytest.fixture
def server(portal: BlockingPortal) -> Iterator[ModelServer]:
    with portal.wrap_async_context_manager(serve(saying(prompts.example_reply("deduction")))) as running:
        yield running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"worker_processes": 1, "control_s": 0.05, "heartbeat_s": 0.2, "lease_s": 2.0}.items():
        monkeypatch.setattr(settings(), name, value)


@pytest.mark.usefixtures("broker", "quick")
def test_a_run_goes_on_when_the_database_is_back(administrator: Connection, database: str, server: ModelServer) -> None:
    name = make_url(database).database
    usual = server.model
    away: list[bool] = []

    async def answer(body: Body) -> list[str]:
        """The database goes while the student thinks for the first time."""
        if not is_teachers(body) and not away:
            away.append(True)
            administrator.execute(text(f"alter database {name} with allow_connections false"))
            administrator.execute(
                text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"), {"name": name}
            )
        return await usual(body)

    server.model = answer
    options = {"base_url": server.url, "model": "a-model"}
    model = {"engine": "openai", "options": options}
    run_id = refining.start(refining.owner_with_seeds(1), teacher=model, student=model, environments=["deduction"])
    try:
        assert refining.drive(run_id) is False
    finally:
        administrator.execute(text(f"alter database {name} with allow_connections true"))
    assert away
    assert refining.state(run_id) == "running"

    def finished() -> bool:
        refining.drive(run_id)
        return refining.state(run_id) == "finished"

    refining.wait_until(finished, "the end of the run, once the leases ran out")
    assert refining.check(run_id).problems == ()
    assert refining.summary(run_id).incidents == ()
    with unit_of_work() as session:
        assert session.execute(select(Chain.state, Chain.stop_reason)).all() == [("finished", "turns_used")]
