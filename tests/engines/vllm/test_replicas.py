"""Several servers of one model: a chain stays with one, others share the load, and take over for one that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import pytest_asyncio
from pydantic import ValidationError

from app.domain.ports import EngineContext, Teacher
from app.engines.vllm import VLLMEngine
from app.engines.vllm.options import TeacherOptions
from app.isolation import open_sandbox
from tests.support.asking import ATTEMPT, proposal
from tests.support.model_server import Body, ModelServer, serve
from tests.support.ports import own_port

ENGINE = VLLMEngine()
CONTEXT = EngineContext(open_sandbox)


async def _seed(body: Body) -> list[str]:
    """An answer that tells the request's seed: whoever answers, it is the same."""
    return [str(body["seed"])] * int(body["n"])


@pytest_asyncio.fixture
async def replicas() -> AsyncIterator[list[ModelServer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serve(_seed)) for _ in range(3)]


def _options(urls: list[str]) -> TeacherOptions:
    return TeacherOptions(base_urls=" ".join(urls), model="a-model")


async def _turns(teacher: Teacher, chains: int, turns: int) -> None:
    """Chains that differ in their seed's text, one turn after the other."""
    for turn in range(turns):
        for chain in range(chains):
            request = proposal(rng=chain * 100 + turn)
            await teacher.propose(replace(request, brief=replace(request.brief, seed_text=f"chain {chain}")))


async def test_a_chain_stays_with_its_server_and_all_servers_are_used(replicas: list[ModelServer]) -> None:
    async with ENGINE.teacher(_options([server.url for server in replicas]), CONTEXT) as teacher:
        await _turns(teacher, chains=48, turns=3)  # servers have other ports each time: with few, one may be left out
    seeds = [{body["seed"] // 2048 // 100 for body in server.requests} for server in replicas]
    assert all(seeds)
    assert sum(map(len, seeds)) == 48, "no chain is found at two servers"


async def test_another_takes_over_with_the_same_seed(replicas: list[ModelServer]) -> None:
    away = f"http://127.0.0.1:{own_port()}/v1"
    urls = [away, replicas[0].url]
    async with ENGINE.teacher(_options(urls), CONTEXT) as teacher:
        replies = [await teacher.propose(proposal(rng)) for rng in range(20)]
    async with ENGINE.teacher(_options([replicas[0].url]), CONTEXT) as teacher:
        assert replies == [await teacher.propose(proposal(rng)) for rng in range(20)]


async def test_what_is_under_way_is_spread(replicas: list[ModelServer]) -> None:
    everybody = asyncio.Barrier(30)

    async def wait(body: Body) -> list[str]:
        await everybody.wait()
        return ["done"] * int(body["n"])

    for server in replicas:
        server.model = wait
    options = ENGINE.StudentOptions(base_urls=" ".join(server.url for server in replicas), model="a-model")
    async with ENGINE.student(options, CONTEXT) as student:
        await asyncio.gather(*(student.attempt(replace(ATTEMPT, rng=rng)) for rng in range(30)))
    assert max(len(server.requests) for server in replicas) <= 14


@pytest.mark.parametrize("urls", ["", "gpu-1", "http://me:secret@gpu-1/v1", "http://gpu-1/v1?x=1"])
def test_addresses_that_are_none_are_refused(urls: str) -> None:
    with pytest.raises(ValidationError):
        _options([urls])


def test_addresses_are_kept_once_each() -> None:
    assert _options(["http://a/v1/,", "http://b/v1", "http://a/v1"]).endpoints == ("http://a/v1", "http://b/v1")


@pytest.mark.parametrize(
    ("urls", "turns_url", "says"),
    [
        ("http://a/v1", "http://169.254.169.254/turns/a", "metadata"),
        ("http://a/v1", "http://me:secret@a/turns/a", "password"),
        ("http://a/v1 http://b/v1", "http://a/turns/a", "several"),
    ],
)
def test_turns_are_asked_for_where_requests_may_go(urls: str, turns_url: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TeacherOptions(base_urls=urls, model="a-model", turns_url=turns_url)


def test_models_that_take_no_turns_keep_the_profile_under_which_they_were_measured() -> None:
    assert "turns_url" not in TeacherOptions(base_urls="http://a/v1", model="a-model").model_dump(mode="json")
