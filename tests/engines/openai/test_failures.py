"""Every way in which a server fails becomes an EngineError that says whether to ask again, and what a person can do."""

import re

import pytest
from aiohttp import web

from app.errors import EngineError
from tests.support.asking import attempt, proposal, propose, teacher
from tests.support.model_server import PASSING, ModelServer, saying, serve
from tests.support.ports import own_port


async def _failure(server: ModelServer | str, **options: object) -> EngineError:
    with pytest.raises(EngineError) as raised:
        await propose(server, **options)
    return raised.value


@pytest.mark.parametrize(
    ("fault", "kind", "retryable", "says"),
    [
        ("overloaded", "overloaded", True, "503.*the queue is full.*resume when"),
        ("limited", "overloaded", True, "429.*too many requests"),
        ("crash", "server_error", True, "500.*EngineDeadError.*server's log"),
        ("abandoned", "server_error", True, "gave the request up"),
        ("disconnect", "disconnected", True, "broke.*server's log"),
        ("hang_up", "disconnected", True, "broke"),
        ("nonsense", "nonsense", True, "<html>It works!</html>.*base_url"),
        ("wrong_model", "wrong_model", False, "'another-model'.*'a-model'.*answers_as"),
        ("overflow", "context_overflow", False, "does not fit.*maximum context length.*lower max_tokens"),
        ("unauthorised", "unauthorised", False, "asks for a key.*CAIRN_MODEL_KEY"),
        ("unknown_model", "not_found", False, "404.*does not exist.*Check base_url and model"),
    ],
)
async def test_faults(server: ModelServer, fault: str, kind: str, retryable: bool, says: str) -> None:
    server.faults.append(fault)
    error = await _failure(server)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert re.search(says, str(error), re.DOTALL)


async def test_the_session_outlives_every_passing_fault(server: ModelServer) -> None:
    async with teacher(server) as asked:
        for fault in sorted({*PASSING} - {"fewer"}) * 2:
            server.faults.append(fault)
            with pytest.raises(EngineError):
                await asked.propose(proposal())
            assert (await asked.propose(proposal())).text == "fine"


async def test_a_stall_ends_at_its_time_limit(server: ModelServer) -> None:
    server.faults.append("stall")
    error = await _failure(server, timeout_s=0.2)
    assert (error.kind, error.retryable) == ("stalled", True)
    assert "within 0.2 s" in error.message
    assert "timeout_s" in error.remedy


async def test_a_body_that_never_ends_is_a_stall_too(server: ModelServer) -> None:
    server.faults.append("trickle")
    error = await _failure(server, timeout_s=0.3)
    assert error.kind == "stalled"


async def test_a_port_where_nothing_listens() -> None:
    port = own_port()
    error = await _failure(f"http://127.0.0.1:{port}/v1")
    assert (error.kind, error.retryable) == ("unreachable", True)
    assert f"http://127.0.0.1:{port}/v1/chat/completions can't be reached: Connect" in error.message
    assert "base_url" in error.remedy


async def test_a_host_that_does_not_exist() -> None:
    error = await _failure("http://no-such-host.invalid/v1")
    assert (error.kind, error.retryable) == ("unreachable", True)


async def test_plain_http_behind_https(server: ModelServer) -> None:
    error = await _failure(server.url.replace("http://", "https://"))
    assert error.kind == "unreachable"
    assert error.message


async def test_a_redirect_is_not_followed_and_takes_no_key_along(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIRN_MODEL_KEY", "sk-canary")
    async with serve(saying("elsewhere")) as other:
        server.faults.append(web.Response(status=307, headers={"Location": f"{other.url}/chat/completions"}))
        error = await _failure(server)
        assert other.requests == []
    assert (error.kind, error.retryable) == ("redirected", False)
    assert "base_url" in error.remedy


async def test_a_body_larger_than_its_tokens_could_be_is_not_read_to_its_end(server: ModelServer) -> None:
    server.faults.append(web.Response(body=b" " * (4 << 20)))
    error = await _failure(server, max_tokens=16)
    assert (error.kind, error.retryable) == ("nonsense", True)
    assert "exceeds 1 MB" in error.message


@pytest.mark.parametrize(
    "status",
    [400, 402, 405, 413, 418, 422],
)
async def test_other_refusals_are_final(server: ModelServer, status: int) -> None:
    server.faults.append(web.json_response({"error": {"message": "no such field: reasoning_effort"}}, status=status))
    error = await _failure(server)
    assert (error.kind, error.retryable) == ("refused", False)
    assert "no such field: reasoning_effort" in error.message
    assert "start anew" in error.remedy


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 504, 599])
async def test_other_trouble_of_the_server_passes(server: ModelServer, status: int) -> None:
    server.faults.append(web.Response(status=status))
    error = await _failure(server)
    assert (error.kind, error.retryable) == ("server_error", True)
    assert f"{status}: nothing" in error.message


async def test_denied_access_shows_what_the_server_said(server: ModelServer) -> None:
    server.faults.append(web.Response(status=403, text="the project may not use a-model"))
    error = await _failure(server)
    assert (error.kind, error.retryable) == ("unauthorised", False)
    assert "may not use a-model" in error.message


@pytest.mark.parametrize(
    "text",
    [
        # The wordings of the servers, each of its own time.
        "This model's maximum context length is 4096 tokens. However, you requested 4200 tokens (104 in the messages, "
        "4096 in the completion).",
        "This model's maximum context length is 128000 tokens. However, you requested 65535 output tokens and your "
        "prompt contains at least 62466 input tokens, for a total of at least 128001 tokens.",
        "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
        "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).",
        "the request exceeds the available context size, try increasing it",
        "Requested tokens (2285) exceed context window of 2048",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096.",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
async def test_every_servers_word_for_overflow(server: ModelServer, text: str) -> None:
    server.faults.append(web.json_response({"error": {"message": text}}, status=400))
    error = await _failure(server)
    assert (error.kind, error.retryable) == ("context_overflow", False)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens is too large: 8192. This model supports at most 4096 completion tokens.",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "temperature must be 1 for this model",
    ],
)
async def test_a_limit_on_the_reply_is_no_overflow(server: ModelServer, text: str) -> None:
    """It is the run's own setting: every chain would end by it."""
    server.faults.append(web.json_response({"error": {"message": text}}, status=400))
    assert (await _failure(server)).kind == "refused"


@pytest.mark.parametrize(
    ("code", "kind"), [(429, "overloaded"), (502, "server_error"), ("rate", "server_error"), (None, "server_error")]
)
async def test_an_error_in_a_200_is_an_error(server: ModelServer, code: object, kind: str) -> None:
    server.faults.append(web.json_response({"error": {"code": code, "message": "upstream failed"}}))
    error = await _failure(server)
    assert (error.kind, error.retryable) == (kind, True)
    assert "upstream failed" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"model": "a-model"}',
        b'{"model": "a-model", "choices": []}',
        b'{"model": "a-model", "choices": {}}',
        b'{"model": "a-model", "choices": null}',
        b'{"model": "a-model", "choices": [null]}',
        b'{"model": "a-model", "choices": ["text"]}',
        b'{"model": "a-model", "choices": [{}]}',
        b'{"model": "a-model", "choices": [{"message": {"content": 5}}]}',
        b'{"model": "a-model", "choices": [{"message": {"content": ["a"]}}]}',
        b'{"model": "a-model", "choices": [{"index": "x", "text": ""}, {"index": 1, "text": ""}]}',
        b'{"model": null, "choices": [{"text": "x"}]}',
        b'{"choices": [{"text": "x"}]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
async def test_nonsense(server: ModelServer, body: bytes) -> None:
    server.faults.append(web.Response(body=body, content_type="application/json"))
    error = await _failure(server)
    assert (error.kind, error.retryable) == ("nonsense", True)
    assert len(error.message) < 500
    assert "base_url" in error.remedy


@pytest.mark.parametrize(
    "ending",
    [
        {"text": "fi", "finish_reason": "abort"},
        {"text": "", "finish_reason": "ABORT"},
        {"text": "", "finish_reason": {"type": "abort", "message": "scheduler died"}},
        {"text": "", "finish_reason": {"message": "scheduler died"}},
        {"text": "", "finish_reason": "insufficient_system_resource"},
        {"text": "", "finish_reason": "a word that nobody knows"},
        {"text": "", "finish_reason": None, "error": {"code": 502, "message": "upstream died"}},
    ],
)
async def test_no_replies_are_kept_of_a_response_with_a_choice_that_was_given_up(
    server: ModelServer, ending: dict[str, object]
) -> None:
    choices = [{"text": "The context window size. " * 40, "finish_reason": "stop"}, ending]
    server.faults.append(web.json_response({"model": "a-model", "choices": choices}))
    with pytest.raises(EngineError, match=r"gave the request up midway|upstream died") as raised:
        await attempt(server, n=2, prompt="plain")
    assert (raised.value.kind, raised.value.retryable) == ("server_error", True)
