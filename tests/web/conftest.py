"""The whole application, its lifespan included, on a database of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.db import unit_of_work
from app.domain.actor import Actor
from app.features.accounts import service as accounts
from app.main import create_app
from tests.support import builders
from tests.support.browsing import Visitor


@pytest.fixture(scope="session")
def running(environment: dict[str, str]) -> Iterator[FastAPI]:
    """Made once: it finds the test's own database behind an address that stays the same."""
    application = create_app()
    with TestClient(application):
        yield application


@pytest.fixture
def application(running: FastAPI, database: str, broker: str) -> FastAPI:
    return running


@pytest.fixture
def visitor(application: FastAPI) -> Visitor:
    """A browser that is not signed in."""
    return Visitor(application)


@pytest.fixture
def ada(database: str) -> Actor:
    """The owner of a workspace."""
    with unit_of_work() as session:
        return builders.owner(session, "Ada")


@pytest.fixture
def signed_in(application: FastAPI) -> Callable[[Actor], Visitor]:
    """Makes a browser in which a person is signed in."""

    def sign_in(actor: Actor) -> Visitor:
        with unit_of_work() as session:
            link = accounts.create_sign_in_link(session, actor)
        visitor = Visitor(application)
        assert visitor.post(f"/signin/{link}").status_code == 303
        return visitor

    return sign_in


@pytest.fixture
def page(signed_in: Callable[[Actor], Visitor], ada: Actor) -> Visitor:
    """Ada's browser."""
    return signed_in(ada)


@pytest.fixture
def api_token(ada: Actor) -> str:
    """A token of Ada's that may write."""
    with unit_of_work() as session:
        return accounts.create_api_token(session, ada, "tests", "write", 1)


@pytest.fixture
def server(database: str, broker: str) -> Iterator[str]:
    """The address of a real server, for what a test client cannot do: streams, logs, connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(create_app(), http="h11", log_level="info", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listener.close()
