"""What is sent: one request per problem, seeds that repeat and never overlap, and the key nowhere but in its header."""

import asyncio
import gc
import logging
import warnings
from itertools import pairwise

import pytest
from aiohttp import web
from pydantic import ValidationError

from app.domain.ports import Student
from app.engines.openai.options import StudentOptions, TeacherOptions
from app.errors import EngineError
from tests.support.asking import ATTEMPT, attempt, proposal, propose, student, teacher
from tests.support.model_server import ModelServer

KEY = "sk-canary-5f2d9"


async def test_all_attempts_at_a_problem_are_one_request(server: ModelServer) -> None:
    replies = await attempt(server, n=32)
    assert [reply.text for reply in replies] == ["fine"] * 32
    assert [request["n"] for request in server.requests] == [32]


async def test_a_chat_model_is_sent_messages(server: ModelServer) -> None:
    await propose(server, temperature=0.7, top_p=0.9, max_tokens=100, reasoning_effort="high")
    (request,) = server.requests
    seed = request.pop("seed")
    assert isinstance(seed, int)
    assert request == {
        "model": "a-model",
        "messages": [
            {"role": "system", "content": "You are a teacher."},
            {"role": "user", "content": "Write a problem."},
        ],
        "n": 1,
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 100,
        "reasoning_effort": "high",
    }


async def test_a_base_model_is_sent_a_text_to_continue_up_to_the_next_problem(server: ModelServer) -> None:
    replies = await attempt(server, n=2, prompt="plain")
    (request,) = server.requests
    assert (request["prompt"], request["stop"]) == (ATTEMPT.plain(), ["\n## Problem"])
    assert "messages" not in request
    assert [reply.text for reply in replies] == ["fine", "fine"]


async def test_only_what_servers_know_is_sent(server: ModelServer) -> None:
    await propose(server)
    assert server.requests[0].keys() == {"model", "messages", "n", "seed", "temperature", "top_p", "max_tokens"}


async def test_further_fields_and_another_name_of_the_limit_are_sent_as_told(server: ModelServer) -> None:
    extra = '{"top_k": 20, "chat_template_kwargs": {"enable_thinking": false}}'
    await propose(server, extra_body=extra, max_tokens=50, max_tokens_field="max_completion_tokens")
    (request,) = server.requests
    assert request["top_k"] == 20
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    assert request["max_completion_tokens"] == 50
    assert "max_tokens" not in request


async def test_a_field_that_a_model_refuses_can_be_left_out(server: ModelServer) -> None:
    await propose(server, extra_body='{"top_p": null, "temperature": null}')
    assert server.requests[0].keys() == {"model", "messages", "n", "seed", "max_tokens"}


async def test_seeds_repeat_and_their_samples_never_overlap(server: ModelServer) -> None:
    """A server may give sample i the seed `seed` + i: neighbours of 1,024 samples must not share one."""
    async with teacher(server) as asked:
        for rng in (11, 12, 2**63 - 1, 11):
            await asked.propose(proposal(rng))
    seeds = [request["seed"] for request in server.requests]
    assert seeds[0] == seeds[3]
    assert all(0 <= seed < 2**53 for seed in seeds), "JSON numbers lose digits beyond"
    ordered = sorted(set(seeds))
    assert len(ordered) == 3
    assert all(after - before >= 1024 for before, after in pairwise(ordered))


async def test_a_retry_is_the_same_request(server: ModelServer) -> None:
    server.faults.append("crash")
    async with student(server) as asked:
        with pytest.raises(EngineError):
            await asked.attempt(ATTEMPT)
        await asked.attempt(ATTEMPT)
    assert server.requests[0] == server.requests[1]


async def test_a_server_that_gives_fewer_is_asked_for_the_rest_with_the_seeds_that_follow(server: ModelServer) -> None:
    server.faults.append("fewer")
    assert len(await attempt(server, n=9)) == 9
    first, *rest = [(request["seed"], request["n"]) for request in server.requests]
    assert first[1] == 9
    assert sorted(rest) == [(first[0] + 4, 4), (first[0] + 8, 1)]


async def test_a_server_without_n_is_found_out_once(server: ModelServer) -> None:
    async with student(server) as asked:
        server.faults.append(web.json_response(_completion("fine")))
        assert len(await asked.attempt(ATTEMPT)) == 4
        assert len(await asked.attempt(ATTEMPT)) == 4
    assert [request["n"] for request in server.requests] == [4, 1, 1, 1, 1, 1, 1, 1]
    seeds = [request["seed"] for request in server.requests]
    assert sorted(seeds[:4]) == sorted(seeds[4:])


async def test_samples_per_request_bounds_n(server: ModelServer) -> None:
    assert len(await attempt(server, n=10, samples_per_request=4)) == 10
    first = min(request["seed"] for request in server.requests)
    assert sorted((request["seed"] - first, request["n"]) for request in server.requests) == [(0, 4), (4, 4), (8, 2)]


async def test_one_failed_part_fails_the_whole(server: ModelServer) -> None:
    server.faults.extend(["", "crash"])
    with pytest.raises(EngineError) as raised:
        await attempt(server, n=4, samples_per_request=1)
    assert raised.value.kind == "server_error"


async def test_no_more_requests_than_allowed_are_under_way(server: ModelServer) -> None:
    under_way = most = 0

    async def answer(body: dict[str, object]) -> list[str]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return ["fine"]

    server.model = answer
    async with student(server, samples_per_request=1, concurrency=3) as asked:
        await asyncio.gather(*(asked.attempt(ATTEMPT) for _ in range(5)))
    assert most == 3


async def test_the_key_comes_from_the_environment_and_shows_up_nowhere_else(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CAIRN_MODEL_KEY_LAB", f"{KEY}\n")
    caplog.set_level(logging.DEBUG)
    echo = {"error": {"message": f"bad request, Authorization: Bearer {KEY}"}}
    said = []
    for status in (400, 401, 403, 404, 418, 500, 503, 200):
        server.faults.append(web.json_response(echo, status=status))
        with pytest.raises(EngineError) as raised:
            await propose(server, api_key_variable="CAIRN_MODEL_KEY_LAB")
        said.append(f"{raised.value} {raised.value!r} {raised.value.__cause__!r}")
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    options = TeacherOptions(base_url=server.url, model="a-model", api_key_variable="CAIRN_MODEL_KEY_LAB")
    for text in (*said, caplog.text, repr(options), options.model_dump_json(), str(server.requests)):
        assert KEY not in text
    assert "[key]" in said[0]


async def test_without_a_key_no_header_is_sent(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_MODEL_KEY", raising=False)
    await propose(server)
    assert "Authorization" not in server.headers[0]


async def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIRN_MODEL_KEY", f"{KEY}\nX-Evil: 1")
    with pytest.raises(EngineError, match="CAIRN_MODEL_KEY") as raised:
        await propose(server)
    assert (raised.value.kind, raised.value.retryable) == ("unauthorised", False)
    assert KEY not in str(raised.value)
    assert server.requests == []


@pytest.mark.parametrize("variable", ["CAIRN_SECRET_KEY", "DATABASE_URL", "CAIRN_MODEL_KEYS", "cairn_model_key"])
def test_other_variables_cannot_be_named(variable: str) -> None:
    with pytest.raises(ValidationError, match="api_key_variable"):
        TeacherOptions(base_url="http://localhost/v1", model="m", api_key_variable=variable)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("base_url", "http://me:secret@host/v1", "must not hold a password"),
        ("base_url", "http://host/v1?key=secret", r"without \? or #"),
        ("base_url", "ftp://host/v1", "scheme"),
        ("base_url", "host/v1", "valid URL"),
        ("extra_body", "[1]", "must be a JSON object"),
        ("extra_body", '{"top_k": NaN}', "must be a JSON object"),
        ("extra_body", '{"top_k": 1e999}', "must be a JSON object"),
        ("model", " ", "must be printable"),
        ("model", "qwen\u202e3", "must be printable"),
        ("answers_as", "qwen\n", "must be printable"),
        ("extra_body", "[" * 4000, "must be a JSON object"),
        ("extra_body", '{"user": "\\ud800"}', "must be a JSON object"),
        ("extra_body", '{"seed": 1, "n": 2}', "must not set n, seed"),
        ("extra_body", '{"top_p": 0.5, "max_tokens": null}', "must not set max_tokens, top_p"),
        ("timeout_s", float("inf"), "finite"),
        ("prompt", "instruct", "'chat' or 'plain'"),
    ],
)
def test_options_that_cannot_work_are_refused_with_the_reason(field: str, value: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says) as raised:
        StudentOptions.model_validate({"base_url": "http://localhost:8000/v1", "model": "m"} | {field: value})
    assert [error["loc"] for error in raised.value.errors()] == [(field,)]


async def test_a_cancelled_request_is_dropped_at_once_and_the_session_still_works(server: ModelServer) -> None:
    arrived = asyncio.Event()
    answer = server.model

    async def stall(body: dict[str, object]) -> list[str]:
        arrived.set()
        await asyncio.sleep(3600)
        return []

    server.model = stall
    async with student(server) as asked:
        waiting = asyncio.create_task(_attempt(asked))
        await arrived.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        server.model = answer
        assert len(await asked.attempt(ATTEMPT)) == 4


async def test_every_connection_is_closed_with_the_session(server: ModelServer) -> None:
    server.faults.extend(["", "disconnect", "crash"])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        async with student(server) as asked:
            assert len(await asked.attempt(ATTEMPT)) == 4
            for _ in range(2):
                with pytest.raises(EngineError):
                    await asked.attempt(ATTEMPT)
        del asked
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


async def _attempt(asked: Student) -> None:
    await asked.attempt(ATTEMPT)


def _completion(text: str) -> dict[str, object]:
    return {"model": "a-model", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
