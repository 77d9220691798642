"""Real PostgreSQL and Valkey for the tests that ask for them; nothing starts for those that don't.

`database` gives every test a freshly migrated database of its own, `broker` an empty Valkey. Both keep their address
for the whole run, so that the application's cached connections and its child processes see what the test sees.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
import redis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from app import config, db, events, jobs
from app.local import services
from app.local.stack import LocalStack
from app.local.supervisor import Service, Supervisor
from app.migrate import upgrade
from tests.support.ports import own_port

# How long an example takes is the machine's business.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own: sync tests, also those that drive a browser, call async code through it."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def stack(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The databases of this run. DATABASE_URL and REDIS_URL use existing servers instead: see `database`, `broker`."""
    local = LocalStack(
        tmp_path_factory.mktemp("stack"),
        database_url=config.Settings().database_url,
        redis_url=config.Settings().redis_url,
        durable=False,
    )
    with portal.wrap_async_context_manager(local) as running:
        yield running


@pytest.fixture(scope="session")
def administrator(stack: LocalStack) -> Iterator[Connection]:
    """A connection that makes and drops databases."""
    engine = create_engine(stack.database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def template(administrator: Connection, worker_name: str) -> Iterator[str]:
    """The name of a migrated database, of which the tests get copies."""
    name = f"cairn_template_{worker_name}"
    administrator.execute(text(f"drop database if exists {name} with (force)"))
    administrator.execute(text(f"create database {name}"))
    upgrade(administrator.engine.url.set(database=name).render_as_string(hide_password=False))
    yield name
    administrator.execute(text(f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Which of pytest-xdist's processes this is: they may share one server."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def environment(
    stack: LocalStack, worker_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Points the application, here and in child processes, at the databases of this run."""
    database = make_url(stack.database_url).set(database=f"cairn_test_{worker_name}")
    variables = {
        "DATABASE_URL": database.render_as_string(hide_password=False),
        "REDIS_URL": _own_redis(stack, worker_name),
        "CAIRN_DATA_DIR": str(tmp_path_factory.mktemp("data")),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        _forget_connections()
        yield variables
    _forget_connections()


@pytest.fixture
def database(administrator: Connection, template: str, environment: dict[str, str]) -> Iterator[str]:
    """The address of a database that only this test uses; `app.db.unit_of_work` reaches it.

    On an existing server the user needs the right to create databases.
    """
    url = environment["DATABASE_URL"]
    name = make_url(url).database
    administrator.execute(text(f"drop database if exists {name} with (force)"))
    administrator.execute(text(f"create database {name} template {template} strategy file_copy"))
    yield url
    db.engine().dispose()
    administrator.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def broker(environment: dict[str, str]) -> str:
    """The address of an empty Valkey. Of an existing server, database 15 is emptied and used (14... in parallel)."""
    redis.Redis.from_url(events.redis_url()).flushdb()
    return environment["REDIS_URL"]


@pytest.fixture(scope="session")
def web(portal: BlockingPortal, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the application in a process of its own. It serves whatever `database` the test has."""
    port = own_port()
    service = services.web(os.environ | environment, "127.0.0.1", port)
    with _running(portal, service, tmp_path_factory.mktemp("web")):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def worker(
    portal: BlockingPortal, environment: dict[str, str], database: str, broker: str, tmp_path: Path
) -> Iterator[Supervisor]:
    """A Celery worker with one process, for one test."""
    with _running(portal, services.worker(os.environ | environment, 1), tmp_path / "worker") as supervisor:
        yield supervisor


@contextmanager
def _running(portal: BlockingPortal, service: Service, folder: Path) -> Iterator[Supervisor]:
    with portal.wrap_async_context_manager(Supervisor(folder)) as supervisor:
        portal.call(supervisor.start, service)
        yield supervisor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's sync API leaves an event loop running, under which no async test starts."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def _own_redis(stack: LocalStack, worker_name: str) -> str:
    if stack.redis_url.startswith("redis+socket://"):
        return stack.redis_url  # our own server: nobody else is there
    number = 15 - int(worker_name.removeprefix("gw")) if worker_name != "main" else 15
    return make_url(stack.redis_url).set(database=str(number)).render_as_string(hide_password=False)


def _forget_connections() -> None:
    if db.engine.cache_info().currsize:
        db.engine().dispose()
    for cached in (config.settings, db.engine, jobs.sender, events.client):
        cached.cache_clear()
