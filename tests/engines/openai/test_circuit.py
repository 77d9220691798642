"""One probe asks whether a server is back, and everybody goes on; and what a server says of its load."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from app.domain.ports import Load, Metered
from app.engines._openai.fleet import Fleet
from app.engines._openai.metrics import read_load
from app.engines._openai.refusals import refusal
from app.errors import EngineError
from tests.support.asking import proposal, student, teacher
from tests.support.model_server import saying, serve
from tests.support.ports import own_port

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{engine="0",model_name="m"} 33.0
vllm:num_requests_running{engine="1",model_name="m"} 31.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.5
vllm:num_preemptions_total{engine="0",model_name="m"} 3.0
"""


async def test_after_failures_in_a_row_requests_wait_for_the_server_and_go_on_together() -> None:
    port = own_port()
    async with teacher(f"http://127.0.0.1:{port}/v1") as asked:
        for _ in range(5):
            with pytest.raises(EngineError, match="can't be reached"):
                await asked.propose(proposal())
        waiting = [asyncio.create_task(asked.propose(proposal(rng))) for rng in range(50)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        async with serve(saying("fine"), port=port) as server:
            replies = await asyncio.gather(*waiting)
            # One probe of one token before all others.
            assert [body.get("max_tokens") for body in server.requests].count(1) == 1
            assert server.requests[0]["max_tokens"] == 1
    assert {reply.text for reply in replies} == {"fine"}


async def test_retry_after_is_told() -> None:
    async with serve(saying("fine")) as server, teacher(server) as asked:
        server.faults.append(web.json_response({"error": "busy"}, status=429, headers={"Retry-After": "7"}))
        with pytest.raises(EngineError) as raised:
            await asked.propose(proposal())
    assert raised.value.wait_s == 7


@pytest.mark.parametrize(
    ("header", "seconds"), [("", 0), ("soon", 0), ("-3", 0), ("1e9", 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
def test_retry_after_within_reason(header: str, seconds: float) -> None:
    assert refusal(503, b"", retry_after=header).wait_s == seconds


def test_load_is_read_from_vllms_metrics() -> None:
    assert read_load(METRICS) == Load(running=64, waiting=2, cache=0.5, preempted=3)
    assert read_load("go_goroutines 7\n") is None


def test_tokens_and_prefix_cache_are_read_too_as_older_versions_spell_them() -> None:
    for prefix in ("", "gpu_"):
        text = (
            f'{METRICS}vllm:generation_tokens_total{{engine="0"}} 1.5e+06\n'
            f'vllm:{prefix}prefix_cache_queries_total{{engine="0"}} 400.0\n'
            f'vllm:{prefix}prefix_cache_hits_total{{engine="0"}} 100.0\n'
        )
        load = read_load(text)
        assert load
        assert (load.generated, load.prefix_queries, load.prefix_hits) == (1_500_000, 400, 100)
    for nonsense in ("NaN", "1e308", "-inf"):
        assert read_load(METRICS.replace("33.0", nonsense)) is None


async def test_each_server_is_told_of_by_itself() -> None:
    async with serve(saying("fine")) as server, student(server) as asked:
        server.metrics = METRICS
        await asked.load()
        (state,) = asked.servers()
        assert (state.address, state.away, state.under_way) == (server.url, False, 0)
        assert state.load == Load(64, 2, 0.5, 3)


class _Tells:
    """A server of a fleet that tells its load, and None when it is not heard."""

    def __init__(self, url: str, *loads: Load | None) -> None:
        self.url = url
        self._loads = iter(loads)

    async def load(self) -> Load | None:
        return next(self._loads)


async def test_a_server_that_is_silent_for_once_looks_neither_restarted_nor_preempting() -> None:
    busy = Load(running=64, waiting=2, cache=0.5, preempted=7, generated=900)
    first, second = _Tells("http://one/v1", busy, busy, None), _Tells("http://two/v1", busy, None, None)
    both = Fleet([first, second], 100)  # type: ignore[list-item]
    loads = [await both.load() for _ in range(3)]
    assert loads == [Load(128, 4, 0.5, 14, 1800), Load(64, 2, 0.5, 14, 1800), None]


async def test_a_server_without_metrics_tells_no_load() -> None:
    async with serve(saying("fine")) as server, student(server, concurrency=7) as asked:
        assert isinstance(asked, Metered)
        assert asked.ceiling == 7
        assert await asked.load() is None
