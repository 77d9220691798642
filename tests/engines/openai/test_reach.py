"""Which addresses a run may name, and which a connection may be made to."""

from __future__ import annotations

import socket

import pytest
from pydantic import ValidationError

from app.config import settings
from app.engines.openai.options import TeacherOptions
from app.engines.vllm.options import StudentOptions
from app.errors import EngineError
from tests.support.asking import propose
from tests.support.model_server import ModelServer

LISTED = "gpu-1, *.gpu.lan 10.0.0.7:8000 10.8.0.* node-*:80 169.254.10.1 [fd12::7]:8000"


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(settings(), "model_hosts", request.param)


def name(address: str) -> None:
    TeacherOptions.model_validate({"model": "m", "base_url": f"http://{address}/v1"})
    StudentOptions.model_validate({"model": "m", "base_urls": f"http://{address}/v1"})


@pytest.mark.parametrize("hosts", [""], indirect=True)
@pytest.mark.parametrize("address", ["gpu-1:8000", "localhost:8001", "10.1.2.3", "[::1]:8000", "api.example.com"])
@pytest.mark.usefixtures("hosts")
def test_without_a_list_runs_reach_any_host(address: str) -> None:
    name(address)


@pytest.mark.parametrize("hosts", [""], indirect=True)
@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1:80",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "100.100.100.200",
    ],
)
@pytest.mark.usefixtures("hosts")
def test_where_clouds_keep_their_credentials_runs_never_ask(address: str) -> None:
    with pytest.raises(ValidationError, match="link-local or metadata address; list its host in CAIRN_MODEL_HOSTS"):
        name(address)


@pytest.mark.parametrize("hosts", [LISTED], indirect=True)
@pytest.mark.parametrize(
    "address",
    [
        "gpu-1",
        "GPU-1:9000",
        "a.b.gpu.lan:8000",
        "10.0.0.7:8000",
        "10.8.0.15:99",
        "node-17:80",
        "169.254.10.1",
        "[fd12::7]:8000",
    ],
)
@pytest.mark.usefixtures("hosts")
def test_what_is_listed_may_be_named(address: str) -> None:
    name(address)


@pytest.mark.parametrize("hosts", [LISTED], indirect=True)
@pytest.mark.parametrize(
    "address",
    [
        "gpu-2",
        "gpu-11",
        "gpu.lan",
        "10.0.0.7",
        "10.0.0.7:8001",
        "gpu-1.evil.example",
        "10.8.0.evil.example",
        "10.8.0.evil",
        "node-1.evil:80",
        "169.254.169.254",
    ],
)
@pytest.mark.usefixtures("hosts")
def test_what_is_not_listed_is_refused_with_the_list(address: str) -> None:
    with pytest.raises(ValidationError, match="CAIRN_MODEL_HOSTS lists: gpu-1"):
        name(address)


@pytest.mark.parametrize("hosts", ["", "meta.example"], indirect=True)
@pytest.mark.usefixtures("hosts")
async def test_a_name_that_leads_to_a_forbidden_address_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with pytest.raises(EngineError, match=r"169\.254\.169\.254 is a link-local or metadata address") as raised:
        await propose("http://meta.example/v1")
    assert (raised.value.kind, raised.value.retryable) == ("unreachable", False)


@pytest.mark.parametrize("hosts", ["127.0.0.1"], indirect=True)
@pytest.mark.usefixtures("hosts")
async def test_a_listed_server_is_asked(server: ModelServer) -> None:
    await propose(server)
    assert server.requests
