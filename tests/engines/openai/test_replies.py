"""Every form in which servers give an answer becomes the same Reply."""

import json

import pytest
from aiohttp import web

from app.domain.problem import Reply
from tests.support.asking import attempt, propose
from tests.support.model_server import ModelServer


async def _reply(server: ModelServer, message: dict[str, object], finish_reason: object = "stop") -> Reply:
    server.faults.append(_answer([{"index": 0, "message": message, "finish_reason": finish_reason}]))
    return await propose(server)


def _answer(choices: list[dict[str, object]], **more: object) -> web.Response:
    return web.json_response({"model": "a-model", "choices": choices} | more)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "yes"}, "yes", ""),
        ({"content": "yes", "reasoning": "hm"}, "yes", "hm"),
        ({"content": "yes", "reasoning_content": "hm"}, "yes", "hm"),
        ({"content": "yes", "reasoning": None, "reasoning_content": "hm"}, "yes", "hm"),
        ({"content": "yes", "reasoning": "", "reasoning_content": None}, "yes", ""),
        ({"content": "<think>\nhm\n</think>\n\nyes"}, "yes", "hm"),
        ({"content": " \n<think>hm</think>yes"}, "yes", "hm"),
        ({"content": "<think></think>yes"}, "yes", ""),
        ({"content": "hm\n</think>\n\nyes"}, "yes", "hm"),  # the chat template opened the tag
        ({"content": "<think>a</think>b</think>c"}, "b</think>c", "a"),
        ({"content": "Say <think> aloud"}, "Say <think> aloud", ""),
        ({"content": "a</think>b", "reasoning": "hm"}, "a</think>b", "hm"),  # split off already
        ({"content": None, "reasoning": "hm"}, "", "hm"),
        ({"content": None}, "", ""),
        ({"content": "", "refusal": "I can't."}, "", ""),
        ({"content": "é 漢 🧗‍♀️ \u202e"}, "é 漢 🧗‍♀️ \u202e", ""),
        ({"content": "a\x00b\ud800c"}, "a\ufffdb\ufffdc", ""),  # what no database stores
        ({"content": "yes", "reasoning": "\x00"}, "yes", "\ufffd"),
    ],
)
async def test_messages(server: ModelServer, message: dict[str, object], text: str, reasoning: str) -> None:
    reply = await _reply(server, message)
    assert (reply.text, reply.reasoning, reply.finish_reason, reply.model) == (text, reasoning, "stop", "a-model")


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "half an ans"}, "half an ans", ""),
        ({"content": "<think>and then"}, "", "and then"),
        ({"content": None, "reasoning": "and then"}, "", "and then"),
    ],
)
async def test_a_reply_that_was_cut_says_so(
    server: ModelServer, message: dict[str, object], text: str, reasoning: str
) -> None:
    reply = await _reply(server, message, "length")
    assert (reply.text, reply.reasoning, reply.finish_reason) == (text, reasoning, "length")


async def test_a_missing_finish_reason_is_an_ordinary_end(server: ModelServer) -> None:
    assert (await _reply(server, {"content": "yes"}, None)).finish_reason == "stop"


@pytest.mark.parametrize("reason", ["stop", "length", "eos", "model_length", "content_filter", "refusal", "SAFETY"])
async def test_an_empty_answer_is_one_by_every_name_of_an_end(server: ModelServer, reason: str) -> None:
    reply = await _reply(server, {"content": ""}, reason)
    assert (reply.text, reply.finish_reason) == ("", reason)


async def test_an_end_by_another_name_is_one_where_there_is_text(server: ModelServer) -> None:
    assert (await _reply(server, {"content": "yes"}, "eod")).finish_reason == "eod"
    assert (await _reply(server, {"content": "yes"}, {"type": "length", "length": 9})).finish_reason == "length"


async def test_plain_completions_keep_a_closing_tag_that_nothing_opened(server: ModelServer) -> None:
    texts = ["a</think>b", "<think>hm</think>b"]
    server.faults.append(_answer([{"index": i, "text": text} for i, text in enumerate(texts)]))
    replies = await attempt(server, n=2, prompt="plain")
    assert [(reply.text, reply.reasoning) for reply in replies] == [("a</think>b", ""), ("b", "hm")]


async def test_samples_stand_in_the_order_of_their_seeds(server: ModelServer) -> None:
    choices = [{"index": i, "message": {"content": str(i)}} for i in (2, 0, 3, 1)]
    server.faults.append(_answer(choices))
    assert [reply.text for reply in await attempt(server, n=4)] == ["0", "1", "2", "3"]


async def test_more_samples_than_asked_for_are_left_out(server: ModelServer) -> None:
    server.faults.append(_answer([{"index": i, "message": {"content": str(i)}} for i in range(9)]))
    assert [reply.text for reply in await attempt(server, n=4)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("usage", "prompt", "completion"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 10}, [100, 0, 0, 0], [3, 3, 2, 2]),
        ({"prompt_tokens": 100, "completion_tokens": None}, [100, 0, 0, 0], [0, 0, 0, 0]),
        ({"prompt_tokens": 2**31 - 1, "completion_tokens": 2**24}, [0, 0, 0, 0], [0, 0, 0, 0]),
        ({"prompt_tokens": -5, "completion_tokens": 1e300}, [0, 0, 0, 0], [0, 0, 0, 0]),
        ({"prompt_tokens": True, "completion_tokens": 4}, [0, 0, 0, 0], [1, 1, 1, 1]),
        ({}, [0, 0, 0, 0], [0, 0, 0, 0]),
        (None, [0, 0, 0, 0], [0, 0, 0, 0]),
        ("many", [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
async def test_tokens_add_up_to_what_the_server_counted(
    server: ModelServer, usage: object, prompt: list[int], completion: list[int]
) -> None:
    server.faults.append(_answer([{"index": i, "message": {"content": "x"}} for i in range(4)], usage=usage))
    replies = await attempt(server, n=4)
    assert [reply.prompt_tokens for reply in replies] == prompt
    assert [reply.completion_tokens for reply in replies] == completion


async def test_missing_usage_is_no_error(server: ModelServer) -> None:
    server.faults.append(_answer([{"message": {"content": "x"}}]))
    assert (await propose(server)).completion_tokens == 0


async def test_a_dated_name_is_accepted_where_the_run_names_it(server: ModelServer) -> None:
    answer = {"model": "a-model-2026-01-01", "choices": [{"message": {"content": "yes"}}]}
    server.faults.append(web.json_response(answer))
    reply = await propose(server, answers_as="a-model-2026-01-01")
    assert (reply.text, reply.model) == ("yes", "a-model-2026-01-01")
    assert server.requests[0]["model"] == "a-model"


async def test_a_large_reply_in_many_pieces(server: ModelServer) -> None:
    text = "é" * 1_000_000
    body = json.dumps({"model": "a-model", "choices": [{"message": {"content": text}}]}, ensure_ascii=True)
    server.faults.append(web.Response(text=body, content_type="application/json"))
    assert (await propose(server, max_tokens=1_000_000)).text == text


async def test_compressed_replies(server: ModelServer) -> None:
    answer = _answer([{"message": {"content": "yes" * 1000}}])
    answer.enable_compression()
    server.faults.append(answer)
    assert (await propose(server)).text == "yes" * 1000
